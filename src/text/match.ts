/** Which entry of one vocabulary is which of another: by its spelling, as an id means nothing outside its own vocabulary. */

export interface VocabularyMatch {
  /** The old id of each new entry, -1 where the old vocabulary has none of that spelling. Length: the new vocabulary. */
  readonly oldIds: Int32Array;
  /** New entries that the old vocabulary lacks, in the order of their ids. */
  readonly added: readonly string[];
  /** Old entries that the new vocabulary lacks, in the order of their ids. */
  readonly left: readonly string[];
}

/** Matches the entries of two vocabularies (entry i has id i). */
export function matchVocabularies(old: readonly string[], now: readonly string[]): VocabularyMatch {
  const ids = new Map(old.map((entry, id) => [entry, id]));
  const kept = new Set(now);
  return {
    oldIds: Int32Array.from(now, (entry) => ids.get(entry) ?? -1),
    added: now.filter((entry) => !ids.has(entry)),
    left: old.filter((entry) => !kept.has(entry)),
  };
}
