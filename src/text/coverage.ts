/** How much of some texts a vocabulary knows: a model that reads [UNK] alone learns nothing and says so nowhere. */
import type { TextTokenizer } from "./tokenizer.ts";
import { isKnownWord, textWords } from "./unknown-words.ts";

/** Counts of known and unknown words. */
export interface Coverage {
  readonly texts: number;
  /** As `textWords` splits them: without punctuation. */
  readonly words: number;
  /** Those that the vocabulary can neither name nor spell: they become [UNK]. */
  readonly unknown: number;
  /** unknown / words; 0 where there are no words. */
  readonly unknownShare: number;
  /** Texts without a single known word. */
  readonly unreadable: number;
  /** The commonest unknown words, in lower case where the tokenizer lower-cases, at most `MOST_SHOWN`. */
  readonly commonest: readonly { readonly word: string; readonly count: number }[];
}

/** Counts texts one by one. */
export interface CoverageCounter {
  add(text: string): void;
  coverage(): Coverage;
}

const MOST_SHOWN = 20;
/** Different words that are remembered: bounds memory on corpora of any size. Later ones are counted, but not among the commonest. */
const MOST_WORDS = 200_000;

/** A counter of the words that `tokenizer` does not know. */
export function coverageCounter(tokenizer: TextTokenizer): CoverageCounter {
  const cased = tokenizer.json.normalizer?.lowercase === false;
  const known = new Map<string, boolean>();
  const counts = new Map<string, number>();
  const total = { texts: 0, words: 0, unknown: 0, unreadable: 0 };
  const isKnown = (word: string): boolean => {
    const found = known.get(word) ?? isKnownWord(tokenizer, word);
    if (known.size < MOST_WORDS) known.set(word, found);
    return found;
  };
  return {
    add(text) {
      const words = textWords(text).map((word) => (cased ? word : word.toLowerCase()));
      const unknown = words.filter((word) => !isKnown(word));
      for (const word of unknown)
        if (counts.has(word) || counts.size < MOST_WORDS) counts.set(word, (counts.get(word) ?? 0) + 1);
      total.texts++;
      total.words += words.length;
      total.unknown += unknown.length;
      if (unknown.length === words.length) total.unreadable++;
    },
    coverage: () => ({
      ...total,
      unknownShare: total.words === 0 ? 0 : total.unknown / total.words,
      commonest: [...counts]
        .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
        .slice(0, MOST_SHOWN)
        .map(([word, count]) => ({ word, count })),
    }),
  };
}

/** Counts the words of `texts` that `tokenizer` does not know. */
export function vocabularyCoverage(tokenizer: TextTokenizer, texts: Iterable<string>): Coverage {
  const counter = coverageCounter(tokenizer);
  for (const text of texts) counter.add(text);
  return counter.coverage();
}

/** "3.1 % of 24,100 words, the commonest: quokka (12), okapi (3); 5 of 8,000 texts have no known word". */
export function describeCoverage(coverage: Coverage, most = 8): string {
  const { texts, words, unknown, unknownShare, unreadable, commonest } = coverage;
  const shown = (n: number): string => n.toLocaleString("en-US");
  if (unknown === 0) return `none of ${shown(words)} words in ${shown(texts)} texts`;
  const list = commonest.slice(0, most).map(({ word, count }) => `${clipped(word)} (${shown(count)})`);
  const percent = `${100 * unknownShare < 0.995 ? Number((100 * unknownShare).toPrecision(2)) : (100 * unknownShare).toFixed(0)} %`;
  const silent = unreadable === 0 ? "" : `; ${shown(unreadable)} of ${shown(texts)} texts have no known word`;
  return `${percent} of ${shown(words)} words, the commonest: ${list.join(", ")}${silent}`;
}

const clipped = (word: string): string => (word.length > 24 ? `${word.slice(0, 23)}…` : word);
