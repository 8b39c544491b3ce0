/** The text splits: sentences to pretrain on, and labelled texts (noun supersenses, spam) to fine-tune on. */
import { fnv1a, random } from "../../tensor/index.ts";
import { brownSentences } from "./brown.ts";
import { readMail } from "./mails.ts";
import { type PackageFiles, readText } from "./tarball.ts";
import { type Parts, splitTogether } from "./together.ts";
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
const SUPERSENSES_SET_APART = 15000;
/** Of labelled texts: a fifth for the test, 8 % to choose by. */
const TEST_SHARE = 0.2;
const VALIDATION_SHARE = 0.08;

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

/** Texts to pretrain on, and noun definitions with their supersense that are in none of them. */
export interface WordnetTexts {
  readonly train: readonly TextRow[];
  readonly validation: readonly TextRow[];
  readonly supersenses: Parts<TextRow>;
}

/**
 * Glosses: 15,000 noun definitions with their supersense are set apart; the others, with words and examples, are texts to pretrain on,
 * except those whose definition is also among the ones set apart. Definitions of one word, in whatever sense, are in one part of
 * the supersense set.
 */
export function wordnetTexts(pack: PackageFiles): WordnetTexts {
  const glosses = shuffled(readGlosses(pack), ({ id }) => id);
  const labelled = new Map<string, Gloss>();
  for (const gloss of glosses) {
    if (labelled.size === SUPERSENSES_SET_APART) break;
    if (gloss.supersense !== undefined && !labelled.has(plain(gloss.definition)))
      labelled.set(plain(gloss.definition), gloss);
  }
  const texts = glosses
    .filter(({ definition }) => !labelled.has(plain(definition)))
    .map((gloss) => ({ text: glossText(gloss), document: gloss.id }));
  const validation = Math.min(VALIDATION_GLOSSES, Math.floor(texts.length / 10));
  const apart = [...labelled.values()].map((gloss) => ({
    item: { text: gloss.definition, label: gloss.supersense },
    keys: gloss.words.map(plain),
  }));
  return {
    train: texts.slice(validation),
    validation: texts.slice(0, validation),
    supersenses: splitTogether(apart, { test: TEST_SHARE, validation: VALIDATION_SHARE }),
  };
}

/**
 * Mails labelled "spam" or "ham"; equal texts are kept once. What answers one another under one subject, and what begins with the same
 * words, as the letters of a campaign do, is in one part.
 */
export function spamTexts(pack: PackageFiles): Parts<TextRow> {
  const rows = new Map<string, { item: TextRow; keys: readonly string[] }>();
  for (const path of [...pack.files.keys()].sort()) {
    const match = /^data\/[a-z-]*(spam|ham)-\d\/.+\.txt$/.exec(path);
    const { text, thread, opening } = readMail(match ? readText(pack, path) : "");
    if (!match || text === "" || rows.has(plain(text))) continue;
    rows.set(plain(text), { item: { text, label: match[1] }, keys: [`s ${thread}`, `o ${opening}`].filter(isLong) });
  }
  const mails = shuffled([...rows.values()], ({ item }) => item.text);
  return splitTogether(mails, { test: TEST_SHARE, validation: VALIDATION_SHARE });
}

/** Whether a subject or an opening says enough to tell one thread from another. */
const isLong = (key: string): boolean => key.length >= 10;

const plain = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim();

/** In an order that depends on the items' names alone. */
function shuffled<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, rank: random(1, "starter-texts", fnv1a(nameOf(item))).bits() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
