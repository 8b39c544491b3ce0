/** The text splits: sentences to pretrain on, and labelled texts (noun supersenses, spam) to fine-tune on. */
import { fnv1a, random } from "../../tensor/index.ts";
import { brownSentences } from "./brown.ts";
import { mailText } from "./mails.ts";
import { type PackageFiles, readText } from "./tarball.ts";
import { type Gloss, glossText, readGlosses } from "./wordnet.ts";

/** One line of a text split. */
export interface TextRow {
  readonly text: string;
  readonly document?: string | undefined;
  readonly genre?: string | undefined;
  readonly label?: string | undefined;
}

/** Every n-th Brown document, and this many glosses, are kept for evaluation. */
const VALIDATION_DOCUMENT = 50;
const VALIDATION_GLOSSES = 1000;
const SUPERSENSE_TRAIN = 12000;
const SUPERSENSE_TEST = 3000;
const SPAM_TEST_SHARE = 0.2;

/** Sentences of the Brown corpus in their order, every 50th document kept for validation. */
export function brownTexts(pack: PackageFiles): Record<"train" | "validation", TextRow[]> {
  const sentences = brownSentences(pack);
  const documents = [...new Set(sentences.map(({ document }) => document))];
  const kept = new Set(documents.filter((_, i) => i % VALIDATION_DOCUMENT === VALIDATION_DOCUMENT - 1));
  const rows = (wanted: boolean): TextRow[] =>
    sentences
      .filter(({ document }) => kept.has(document) === wanted)
      .map(({ text, document, genre }) => ({ text, document, genre }));
  return { train: rows(false), validation: rows(true) };
}

/**
 * Glosses: 15,000 noun definitions with their supersense are set apart, train and test; the others, with words and examples,
 * are texts to pretrain on, except those whose definition is also among the ones set apart.
 */
export function wordnetTexts(
  pack: PackageFiles,
): Record<"train" | "validation" | "supersensesTrain" | "supersensesTest", TextRow[]> {
  const glosses = shuffled(readGlosses(pack), ({ id }) => id);
  const labelled = new Map<string, Gloss>();
  for (const gloss of glosses) {
    if (labelled.size === SUPERSENSE_TRAIN + SUPERSENSE_TEST) break;
    if (gloss.supersense !== undefined && !labelled.has(plain(gloss.definition)))
      labelled.set(plain(gloss.definition), gloss);
  }
  const apart = [...labelled.values()].map(({ definition, supersense }) => ({ text: definition, label: supersense }));
  const test = Math.floor((apart.length * SUPERSENSE_TEST) / (SUPERSENSE_TRAIN + SUPERSENSE_TEST));
  const texts = glosses
    .filter(({ definition }) => !labelled.has(plain(definition)))
    .map((gloss) => ({ text: glossText(gloss), document: gloss.id }));
  const validation = Math.min(VALIDATION_GLOSSES, Math.floor(texts.length / 10));
  return {
    train: texts.slice(validation),
    validation: texts.slice(0, validation),
    supersensesTrain: apart.slice(test),
    supersensesTest: apart.slice(0, test),
  };
}

/** Mails labelled "spam" or "ham", a fifth for the test; equal texts are kept once. */
export function spamTexts(pack: PackageFiles): Record<"train" | "test", TextRow[]> {
  const rows = new Map<string, TextRow>();
  for (const path of [...pack.files.keys()].sort()) {
    const match = /^data\/[a-z-]*(spam|ham)-\d\/.+\.txt$/.exec(path);
    const text = match ? mailText(readText(pack, path)) : "";
    if (match && text !== "" && !rows.has(plain(text))) rows.set(plain(text), { text, label: match[1] });
  }
  const mails = shuffled([...rows.values()], ({ text }) => text);
  const test = Math.round(mails.length * SPAM_TEST_SHARE);
  return { train: mails.slice(test), test: mails.slice(0, test) };
}

const plain = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim();

/** In an order that depends on the items' names alone. */
function shuffled<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, rank: random(1, "starter-texts", fnv1a(nameOf(item))).bits() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
