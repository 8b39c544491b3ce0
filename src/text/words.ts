/**
 * A vocabulary of whole words for models that are trained from nothing: the words of a corpus, and no pieces. Words outside it
 * are skipped, not spelled: what no caption ever used would only be noise among the words that did occur.
 */
import { bertTokenizer, type TextTokenizer, tokenizerFromJson } from "./tokenizer.ts";
import { normalizationLike, skippingUnknown } from "./tokenizer-json.ts";
import { SPECIAL_TOKENS } from "./vocabulary.ts";

export interface WordsOptions {
  /** Words that occur less often are left out. Default 1. */
  readonly minCount?: number | undefined;
}

/**
 * The tokenizer over the words of `corpus` (token ids of `tokenizer`, text by text), the commonest first, equal ones in the
 * order of their spelling. Punctuation is no word.
 */
export function wordTokenizer(
  tokenizer: TextTokenizer,
  corpus: Iterable<ArrayLike<number>>,
  { minCount = 1 }: WordsOptions = {},
): TextTokenizer {
  const counts = new Map<string, number>();
  for (const ids of corpus) for (const word of wordsOf(tokenizer, ids)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts]
    .filter(([, count]) => count >= minCount)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word]) => word);
  const { json } = bertTokenizer([...SPECIAL_TOKENS, ...words], normalizationLike(tokenizer.json));
  return tokenizerFromJson(skippingUnknown(json));
}

/** Whole words out of pieces; punctuation, special tokens and what was unknown are left out. */
function wordsOf({ vocabulary, isContinuation, isSpecial, json }: TextTokenizer, ids: ArrayLike<number>): string[] {
  const prefix = json.model.continuing_subword_prefix.length;
  const words: string[] = [];
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (isSpecial[id]) continue;
    if (isContinuation[id] && words.length > 0) words.push(`${words.pop()!}${vocabulary[id]!.slice(prefix)}`);
    else words.push(vocabulary[id]!);
  }
  return words.filter((word) => /[\p{L}\p{N}]/u.test(word));
}
