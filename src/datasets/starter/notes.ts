/** What the splits of the starter data are, in words: they go into the manifest and the documentation. */
import type { SplitEntry } from "./manifest.ts";
import type { PinnedPackage } from "./packages.ts";
import type { HeldOutBy } from "./split.ts";

export type SplitFacts = Pick<SplitEntry, "kind" | "use" | "about">;

const split = (kind: SplitEntry["kind"], use: SplitEntry["use"], about: string): SplitFacts => ({ kind, use, about });

/** Every split that is written as files of its own. */
export const WRITTEN: Readonly<Record<string, SplitFacts>> = {
  pairs_drawings: split(
    "pairs",
    "train",
    "drawings of training concepts in every training style, and OpenMoji's extras that name no held-out concept; texts: the label, the label with all tags, with random tags",
  ),
  pairs_icons: split("pairs", "train", "coloured icons with their name that name no held-out concept"),
  pairs_lines: split(
    "pairs",
    "train",
    "icons of lines and silhouettes of things, in one colour each, with their name that name no held-out concept",
  ),
  images: split("images", "train", "drawings without a caption: skin tones of training concepts, flags, signs"),
  texts_brown: split("texts", "train", "sentences of the Brown corpus in order, by document"),
  texts_wordnet: split("texts", "train", "definitions and examples of WordNet, without those of the supersense sets"),
  texts_validation: split("texts", "evaluate", "definitions and Brown documents kept from training"),
  validation_noto: split(
    "pairs",
    "evaluate",
    "single held-out concepts for evaluation during a run, whose names may be in training, noto",
  ),
  validation_twemoji: split("pairs", "evaluate", "the same concepts in twemoji"),
  unseen_families_noto: split(
    "pairs",
    "evaluate",
    "concepts of held-out families, one caption each: all are candidates, image to text and text to image; noto",
  ),
  unseen_families_twemoji: split("pairs", "evaluate", "the same concepts in twemoji"),
  unseen_families_fluent_3d: split("pairs", "evaluate", "those of the same concepts that the 3D renders have"),
  unseen_concepts_noto: split(
    "pairs",
    "evaluate",
    "held-out concepts whose relatives and names may be in training, one caption each; noto",
  ),
  unseen_concepts_twemoji: split("pairs", "evaluate", "the same concepts in twemoji"),
  unseen_concepts_fluent_3d: split("pairs", "evaluate", "those of the same concepts that the 3D renders have"),
  unseen_style: split("pairs", "evaluate", "training concepts in a style that is never trained on, one caption each"),
  validation_style: split("pairs", "evaluate", "training concepts in another such style, for evaluation during a run"),
  validation_colours: split("pairs", "evaluate", "a set of coloured icons that is never trained on, with their names"),
  validation_lines: split("pairs", "evaluate", "a set of silhouettes that is never trained on, with their names"),
  unseen_source: split("pairs", "evaluate", "another set of coloured icons that is never trained on, with their names"),
  groups_train: split(
    "labelled-images",
    "train",
    "training concepts in noto and twemoji with emojibase's group as the label",
  ),
  groups_test: split("labelled-images", "evaluate", "the held-out concepts in noto and twemoji with their group"),
  mnist_train: split("labelled-images", "train", "8,000 of MNIST's digits, white on black, 28 by 28"),
  mnist_test: split("labelled-images", "evaluate", "2,000 other digits"),
  supersenses_train: split(
    "labelled-texts",
    "train",
    "noun definitions of WordNet with one of 26 supersenses; in no pretraining text",
  ),
  supersenses_validation: split("labelled-texts", "evaluate", "definitions of other words, to choose by"),
  supersenses_test: split(
    "labelled-texts",
    "evaluate",
    "definitions of words that neither of the other two defines; in no pretraining text",
  ),
  spam_train: split(
    "labelled-texts",
    "train",
    "mails of the SpamAssassin corpus, spam or ham: subject and body as plain text",
  ),
  spam_validation: split("labelled-texts", "evaluate", "mails of other threads and campaigns, to choose by"),
  spam_test: split("labelled-texts", "evaluate", "a fifth of the mails, of threads and campaigns of their own"),
};

/** Splits that name several of the above at once. */
export const UNIONS: Readonly<Record<string, { readonly parts: readonly string[]; readonly about: string }>> = {
  texts: { parts: ["texts_brown", "texts_wordnet"], about: "all pretraining texts" },
  pairs: { parts: ["pairs_drawings", "pairs_icons", "pairs_lines"], about: "drawings, icons, lines and silhouettes" },
  validation: {
    parts: ["validation_noto", "validation_twemoji"],
    about: "held-out concepts for evaluation during a run, in two styles",
  },
  unseen_families: {
    parts: ["unseen_families_noto", "unseen_families_twemoji", "unseen_families_fluent_3d"],
    about: "concepts of held-out families in all test styles",
  },
  unseen_concepts: {
    parts: ["unseen_concepts_noto", "unseen_concepts_twemoji", "unseen_concepts_fluent_3d"],
    about: "held-out concepts whose relatives and names may be in training, in all test styles",
  },
};

const BY_FAMILIES: readonly string[] = [
  "A family is what is one picture in variants (skin tone, gender, colour, direction, clock faces, hearts) or one name under another (guide dog under dog). Families are held out whole, in every style, drawn by a hash of their first emoji.",
  "Names of held-out concepts (label and short codes, singular or plural, written together or apart) occur in no training caption or tag. Tags that name one are left out of the captions, and drawings whose label names one out of training altogether.",
];

const BY_CONCEPTS: readonly string[] = [
  "Single concepts are held out, in every style, drawn by a hash of their emoji. Their relatives (woman running of man running) and captions that name them are in training: for comparison with figures of such splits, not a test of unseen words.",
];

const ALWAYS: readonly string[] = [
  "Training pictures that equal a held-out picture byte for byte are left out.",
  "Texts without pictures (texts_brown, texts_wordnet) are kept whole: they may define or mention held-out concepts. Whether that helps is FLAVA's question.",
  "fluent-emoji-flat and fluent-3d show the same designs; emojione-v1 is an earlier edition of the held-out style's makers with drawings of its own.",
  "Captions are those of emojibase, OpenMoji and emojilib, the names of icons, and words and definitions of WordNet. Brands are left out.",
  "The validation concepts are single ones; their names and relatives may be in training.",
];

/** What readers of the manifest should know. */
export const notesOf = (heldOutBy: HeldOutBy): readonly string[] => [
  ...(heldOutBy === "families" ? BY_FAMILIES : BY_CONCEPTS),
  ...ALWAYS,
];

/** LICENCES.md: who made what, under which terms. */
export function licenceText(packages: readonly PinnedPackage[]): string {
  const rows = packages.map(
    ({ name, version, spdx, credit, source, use }) =>
      `| ${name} ${version} | ${use} | ${credit}, ${source} | ${spdx} |`,
  );
  return [
    "# Licences of the starter data",
    "",
    "Prepared by flava from these npm packages: drawings were rasterised, sentences put back into plain text. Works under",
    "CC-BY and CC-BY-SA ask for the credit below wherever the pictures are shown; CC-BY-SA also for the same licence.",
    "",
    "| package | use | made by | licence |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
