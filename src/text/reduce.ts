/** A smaller vocabulary for small models: only the WordPiece entries that occur in a corpus (30,522 embeddings are most of a tiny model). */
import { ConfigError } from "../errors.ts";
import { bertTokenizer, type TextTokenizer } from "./tokenizer.ts";
import { normalizationLike } from "./tokenizer-json.ts";
import { SPECIAL_TOKENS } from "./vocabulary.ts";

export interface ReduceOptions {
  /** Entries that occur less often are dropped. Default 1. */
  readonly minCount?: number | undefined;
  /** Keeps every single-character ASCII entry, so that an unseen word is spelled rather than `[UNK]`. Default true. */
  readonly keepAlphabet?: boolean | undefined;
  /** Ids of entries that stay however rarely they occur. */
  readonly keep?: Iterable<number> | undefined;
}

export interface ReducedVocabulary {
  /** Entries by new id: `[PAD] [UNK] [CLS] [SEP] [MASK]` are 0 to 4, the others follow in their old order. */
  readonly vocabulary: readonly string[];
  /** New id by old id; the new `[UNK]` where the entry was dropped. Length: the old vocabulary. */
  readonly newIds: Int32Array;
  /** Old id by new id. */
  readonly oldIds: Int32Array;
  /**
   * A tokenizer over the new vocabulary. Words of the corpus whose pieces were all kept get the same pieces as before
   * (the longest match is still there); other words fall apart into smaller pieces.
   */
  readonly tokenizer: TextTokenizer;
  remap(ids: ArrayLike<number>): Int32Array;
}

/** The vocabulary that `corpus` (token ids of `tokenizer`, text by text) uses, with a tokenizer over it. */
export function reducedVocabulary(
  tokenizer: TextTokenizer,
  corpus: Iterable<ArrayLike<number>>,
  { minCount = 1, keepAlphabet = true, keep = [] }: ReduceOptions = {},
): ReducedVocabulary {
  const counts = new Uint32Array(tokenizer.vocabSize);
  for (const ids of corpus) {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (!(id >= 0 && id < counts.length)) {
        throw new ConfigError(`reducedVocabulary: expected ids below ${counts.length}, got ${id}`);
      }
      counts[id] = counts[id]! + 1;
    }
  }
  const { special, vocabulary: full } = tokenizer;
  const specials = [special.pad, special.unk, special.cls, special.sep, special.mask];
  const wanted = new Set(keep);
  const others = full.flatMap((entry, id) => {
    const kept = wanted.has(id) || counts[id]! >= minCount || (keepAlphabet && /^(##)?[\x21-\x7e]$/.test(entry));
    return kept && !specials.includes(id) ? [id] : [];
  });
  const oldIds = Int32Array.from([...specials, ...others]);
  const unk = SPECIAL_TOKENS.indexOf("[UNK]");
  const newIds = new Int32Array(full.length).fill(unk);
  for (const [newId, oldId] of oldIds.entries()) newIds[oldId] = newId;
  const vocabulary = Array.from(oldIds, (id) => full[id]!);
  return {
    vocabulary,
    newIds,
    oldIds,
    tokenizer: bertTokenizer(vocabulary, normalizationLike(tokenizer.json)),
    remap: (ids) => Int32Array.from({ length: ids.length }, (_, i) => newIds[ids[i]!] ?? unk),
  };
}
