/** How much of some texts a vocabulary knows: a model that reads [UNK] alone, or nothing, learns nothing and says so nowhere. */
import { type TextTokenizer, tokenizerFromJson } from "./tokenizer.ts";
import { skippingUnknown } from "./tokenizer-json.ts";

export interface Coverage {
  readonly texts: number;
  /** Words and punctuation marks, as the tokenizer splits them. */
  readonly words: number;
  /** Those that the vocabulary can neither name nor spell: they become [UNK], or nothing where unknown words are skipped. */
  readonly unknown: number;
  /** unknown / words; 0 where there are no words. */
  readonly unknownShare: number;
  /** Texts without a single known word. */
  readonly unreadable: number;
}

/** Counts the words of `texts` that `tokenizer` does not know. */
export function vocabularyCoverage(tokenizer: TextTokenizer, texts: Iterable<string>): Coverage {
  const { special, isContinuation, isSpecial, json } = tokenizer;
  const { ids } = json.model.skip_unknown ? tokenizerFromJson(skippingUnknown(json, false)) : tokenizer;
  const counts = { texts: 0, words: 0, unknown: 0, unreadable: 0 };
  for (const text of texts) {
    const words = ids(text).filter((id) => isContinuation[id] === 0);
    counts.texts++;
    counts.words += words.length;
    counts.unknown += words.filter((id) => id === special.unk).length;
    if (words.every((id) => isSpecial[id] === 1)) counts.unreadable++;
  }
  return { ...counts, unknownShare: counts.words === 0 ? 0 : counts.unknown / counts.words };
}
