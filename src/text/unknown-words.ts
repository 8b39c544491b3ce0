/** Which words of a text a tokenizer does not know: they become [UNK]. */
import type { TextTokenizer } from "./tokenizer.ts";

const SPECIAL = String.raw`\[(?:PAD|UNK|CLS|SEP|MASK)\]`;
/** Each is a word of its own to BERT. */
const IDEOGRAPH = String.raw`[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2CEAF}\u{2F800}-\u{2FA1F}]`;
/** Up to a space, an ideograph or what BERT takes for punctuation, which is every sign of ASCII. */
const WORD = String.raw`(?:(?!${IDEOGRAPH})[^\t\n\r\p{Z}\p{P}\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E])+`;
const PARTS = new RegExp(`${SPECIAL}|${IDEOGRAPH}|${WORD}`, "gu");

/**
 * The words of a text, split where BERT splits and spelled as they were written. Punctuation is no word, nor are special tokens;
 * signs such as emoji are.
 */
export const textWords = (text: string): string[] =>
  (text.match(PARTS) ?? []).filter(
    (part) => /[\p{L}\p{N}\p{S}]/u.test(part.replaceAll("\uFFFD", "")) && part[0] !== "[",
  );

/** Whether a tokenizer has any token for one of `textWords`; in BERT's WordPiece a word is known whole or not at all. */
export function isKnownWord({ ids, special }: TextTokenizer, word: string): boolean {
  const tokens = ids(word);
  return tokens.length > 0 && !tokens.includes(special.unk);
}

/**
 * The words of `text` that `tokenizer` can neither name nor spell, each once, in their order, as they were written. Words that differ
 * only in case are one where the tokenizer lower-cases.
 */
export function unknownWords(tokenizer: TextTokenizer, text: string): string[] {
  const cased = tokenizer.json.normalizer?.lowercase === false;
  const unknown = new Map<string, string>();
  for (const word of textWords(text)) {
    const key = cased ? word : word.toLowerCase();
    if (!unknown.has(key) && !isKnownWord(tokenizer, word)) unknown.set(key, word);
  }
  return [...unknown.values()];
}
