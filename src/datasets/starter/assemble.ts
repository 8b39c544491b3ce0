/** Sorts the pictures of the catalogue into splits, as records that only have to be drawn and written. */

import { evaluationCaption, joinTags } from "../../data/loader/tag-captions.ts";
import { fnv1a, random } from "../../tensor/index.ts";
import type { Art, CaptionedArt, EmojiStyle } from "./art.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Concept } from "./concepts.ts";
import { nameOf } from "./families.ts";
import { type Nouns, shortDefinition } from "./nouns.ts";
import type { HeldOutBy, Split, SplitName } from "./split.ts";
import type { Gloss } from "./wordnet.ts";

/** A picture on its way into a split. */
export interface PictureRecord {
  /** Unique within the starter data; no dot. */
  readonly key: string;
  readonly art: Art;
  readonly texts: readonly string[];
  readonly label?: string | undefined;
  /** Written beside the picture; `concept` is the id of the emoji it shows, whatever the skin tone. */
  readonly meta: Readonly<Record<string, string>>;
}

/** Styles with one picture for every held-out concept or nearly: the unseen concepts are tested in each of them. */
export const TEST_STYLES: readonly string[] = ["noto", "twemoji", "fluent-3d"];
/** Styles of the sets for the linear probe. */
export const PROBE_STYLES: readonly string[] = ["noto", "twemoji"];

/** Captions with random tags that are stored beside the label and the full caption. */
const STORED_DRAWS = 4;

/** Styles whose skin tones are pictures without captions. */
const TONED_STYLES: readonly string[] = ["twemoji"];

export interface AssembleOptions {
  readonly evaluationTags: "all" | number;
  readonly heldOutBy: HeldOutBy;
}

/** The split of the unseen concepts in a test style. */
export const unseenSplit = (heldOutBy: HeldOutBy, style: string): string =>
  `unseen_${heldOutBy}_${style.replaceAll("-", "_")}`;

/** Records by split: evaluation splits in the order of the concepts, training splits shuffled. */
export function assemblePictures(
  catalogue: Catalogue,
  split: Split,
  { evaluationTags, heldOutBy }: AssembleOptions,
): Readonly<Record<string, readonly PictureRecord[]>> {
  const inSplit = (name: SplitName): Concept[] => catalogue.concepts.filter(({ id }) => split.of.get(id) === name);
  const evaluated = (style: EmojiStyle, concepts: readonly Concept[]): PictureRecord[] =>
    concepts.flatMap((concept) => emojiRecord(style, concept, evaluationTexts(concept, evaluationTags)));
  const styled = (names: readonly string[]): EmojiStyle[] =>
    catalogue.styles.filter(({ name }) => names.includes(name));
  const out: Record<string, PictureRecord[]> = {};
  const training = inSplit("train");
  for (const style of styled(TEST_STYLES)) out[unseenSplit(heldOutBy, style.name)] = evaluated(style, inSplit("test"));
  for (const style of styled(PROBE_STYLES)) out[`validation_${style.name}`] = evaluated(style, inSplit("validation"));
  for (const [name, style] of Object.entries(catalogue.heldOutStyles)) out[name] = evaluated(style, training);
  for (const [name, { style, pictures }] of Object.entries(catalogue.unseen))
    out[name] = pictures.map((picture) => captionedRecord(style, picture, [picture.label]));
  const { drawings, icons, lines } = catalogue.captioned;
  const pairs = {
    pairs_drawings: [...emojiPairs(catalogue, training, split), ...captionedPairs(drawings, split, catalogue.nouns)],
    pairs_icons: captionedPairs(icons, split, catalogue.nouns),
    pairs_lines: captionedPairs(lines, split, catalogue.nouns),
  };
  for (const [name, records] of Object.entries(pairs)) if (records.length > 0) out[name] = shuffled(records);
  out.images = shuffled(unpairedImages(catalogue, training));
  return out;
}

/** The same pictures with their group as the label, without captions. */
export function withGroups<T extends Pick<PictureRecord, "texts" | "meta">>(
  pictures: readonly T[],
): (T & { label: string })[] {
  return pictures.flatMap((picture) => {
    const { style = "", group } = picture.meta;
    return PROBE_STYLES.includes(style) && group !== undefined ? [{ ...picture, texts: [], label: group }] : [];
  });
}

function emojiPairs({ styles, nouns }: Catalogue, concepts: readonly Concept[], split: Split): PictureRecord[] {
  const captioned = concepts.map((concept) => {
    const allowed = split.allowed(concept)!;
    const definition = definitionOf(nouns?.thing(nameOf(concept.label), concept.group), split);
    return { allowed, texts: trainingTexts(concept.id, allowed), definition };
  });
  return styles.flatMap((style) =>
    captioned.flatMap(({ allowed, texts, definition }) => emojiRecord(style, allowed, texts, definition)),
  );
}

function captionedPairs(
  captioned: Readonly<Record<string, readonly CaptionedArt[]>>,
  split: Split,
  nouns: Nouns | undefined,
): PictureRecord[] {
  return Object.entries(captioned).flatMap(([style, pictures]) =>
    pictures.flatMap((picture) => {
      const allowed = split.allowed(picture);
      if (allowed === undefined) return [];
      const texts = trainingTexts(`${style}-${picture.id}`, allowed);
      return [captionedRecord(style, allowed, texts, definitionOf(nouns?.thing(picture.label), split))];
    }),
  );
}

function captionedRecord(
  style: string,
  { id, label, tags, category, art }: CaptionedArt,
  texts: readonly string[],
  definition: Readonly<Record<string, string>> = {},
): PictureRecord {
  const meta = { style, name: label, tags: joinTags(tags), ...(category !== undefined && { category }), ...definition };
  return { key: `${style}-${id}`, art, texts, meta };
}

/** A definition as `meta` holds it; none where it names what is held out. */
function definitionOf(gloss: Gloss | undefined, split: Split): Readonly<Record<string, string>> {
  const definition = gloss === undefined ? "" : shortDefinition(gloss);
  return definition === "" || split.isNamedIn(definition) ? {} : { definition };
}

/** Skin tones of training concepts, flags, and pictures without a caption: for masked image modelling. */
function unpairedImages({ styles, flags, uncaptioned }: Catalogue, concepts: readonly Concept[]): PictureRecord[] {
  const of = (style: EmojiStyle | undefined, id: string, meta: Record<string, string>): PictureRecord[] => {
    const art = style?.art(id);
    return style === undefined || art === undefined
      ? []
      : [{ key: `${style.name}-${id}`, art, texts: [], meta: { style: style.name, ...meta } }];
  };
  const byName = (name: string): EmojiStyle | undefined => styles.find((style) => style.name === name);
  const tones = concepts.flatMap(({ id, skins }) =>
    TONED_STYLES.flatMap((name) => skins.flatMap((skin) => of(byName(name), skin, { kind: "skin-tone", concept: id }))),
  );
  const banners = flags.flatMap((id) =>
    ["twemoji", "openmoji"].flatMap((name) => of(byName(name), id, { kind: "flag" })),
  );
  const signs = uncaptioned.flatMap((id) => of(byName("openmoji"), id, { kind: "sign" }));
  return [...tones, ...banners, ...signs];
}

function emojiRecord(
  style: EmojiStyle,
  concept: Concept,
  texts: readonly string[],
  definition: Readonly<Record<string, string>> = {},
): PictureRecord[] {
  const art = style.art(concept.id);
  if (art === undefined) return [];
  const { id, label, tags, group, subgroup, family } = concept;
  const meta = {
    style: style.name,
    concept: id,
    family,
    group,
    subgroup,
    name: label,
    tags: joinTags(tags),
    ...definition,
  };
  return [{ key: `${style.name}-${id}`, art, texts, meta }];
}

/** What an evaluation reads first, then the label alone. */
function evaluationTexts({ label, tags }: Concept, most: "all" | number): string[] {
  return [...new Set([evaluationCaption(label, tags, most === "all" ? undefined : most), label])];
}

/** The label, the label with all tags, and a few random draws of tags, for readers that pick among the texts of a sample. */
function trainingTexts(key: string, { label, tags }: Pick<Concept, "label" | "tags">): string[] {
  const draws = Array.from({ length: STORED_DRAWS }, (_, i) => {
    const rng = random(1, "starter-caption", fnv1a(key), i);
    return evaluationCaption(label, shuffled(tags, rng.bits()), rng.integer(tags.length + 1));
  });
  return [...new Set([label, evaluationCaption(label, tags), ...draws])];
}

/** In an order that depends on the items' own names alone. */
function shuffled<T extends string | PictureRecord>(items: readonly T[], salt = 0): T[] {
  const rank = new Map(
    items.map((item) => [
      item,
      random(1, "starter-order", fnv1a(typeof item === "string" ? item : item.key), salt).bits(),
    ]),
  );
  return [...items].sort((a, b) => rank.get(a)! - rank.get(b)!);
}
