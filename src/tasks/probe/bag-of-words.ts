/** Texts as sets of words and of pairs of words beside each other: what a linear classifier makes of words without their order. */
import { fitSparse, type LinearClassifier } from "./logistic.ts";
import { scoresOf } from "./sparse-objective.ts";

/** The texts of a sample, and its class. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  /** 0..K−1. */
  readonly label: number;
}

/** A word, or two, that fewer training samples have is passed over. */
const MIN_SAMPLES = 2;

/** The strengths of regularisation that are tried. */
const STRENGTHS = [0.1, 1, 10];

/** Enough for answers that no longer change. */
const SEARCH = { maxIterations: 100, tolerance: 1e-4 };

/** Classes by the words of texts. */
export interface WordClassifier {
  /** Inverse strength of the regularisation that was best on the validation samples; 1 where there are none. */
  readonly C: number;
  /** Words and pairs of words that it knows. */
  readonly width: number;
  /** (K) scores, the class of the greatest being the answer. */
  scores(texts: readonly string[]): Float64Array;
}

/**
 * Logistic regression on binary 1- and 2-grams. C is chosen on the validation samples, and the classifier fitted again on both. Throws
 * DataError where fewer than two classes have samples.
 */
export async function fitWords(
  train: readonly LabelledTexts[],
  validation: readonly LabelledTexts[],
  { classes, signal }: { readonly classes: number; readonly signal?: AbortSignal | undefined },
): Promise<WordClassifier> {
  let C = 1;
  if (validation.length > 0) {
    const bags = bagsOf(train, classes);
    const asked = validation.map(({ texts }) => bags.rowOf(bagOf(texts)));
    let [most, start]: [number, LinearClassifier | undefined] = [-1, undefined];
    for (const tried of STRENGTHS) {
      start = await fitSparse(bags.data, { ...SEARCH, C: tried, start, signal });
      const right = asked.filter((row, i) => argmax(scored(start!, row)) === validation[i]!.label).length;
      if (right > most) [most, C] = [right, tried];
    }
  }
  const { data, rowOf } = bagsOf([...train, ...validation], classes);
  const fitted = await fitSparse(data, { ...SEARCH, C, signal });
  return { C, width: data.width, scores: (texts) => scored(fitted, rowOf(bagOf(texts))) };
}

/** Samples as rows, and what makes a row of another text. */
function bagsOf(samples: readonly LabelledTexts[], classes: number) {
  const bags = samples.map(({ texts }) => bagOf(texts));
  const counts = new Map<string, number>();
  for (const bag of bags) for (const gram of bag) counts.set(gram, (counts.get(gram) ?? 0) + 1);
  const known = [...counts].filter(([, count]) => count >= MIN_SAMPLES).map(([gram]) => gram);
  const numbers = new Map(known.map((gram, d) => [gram, d]));
  const rowOf = (bag: Iterable<string>): Int32Array =>
    Int32Array.from([...bag].flatMap((gram) => numbers.get(gram) ?? []));
  const labels = samples.map(({ label }) => label);
  return { data: { rows: bags.map(rowOf), width: numbers.size, labels, classes }, rowOf };
}

function scored({ coef, intercept }: LinearClassifier, row: Int32Array): Float64Array {
  const out = new Float64Array(intercept.length);
  scoresOf(row, coef, intercept, out);
  return out;
}

/** Words and pairs of words; those of a second text are told from those of the first. */
export function bagOf(texts: readonly string[]): Set<string> {
  const bag = new Set<string>();
  for (const [i, text] of texts.entries()) {
    const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    for (const [w, word] of words.entries()) {
      bag.add(`${i}:${word}`);
      if (w > 0) bag.add(`${i}:${words[w - 1]} ${word}`);
    }
  }
  return bag;
}

/** The place of the greatest, the first of equal ones. */
export const argmax = (scores: Float64Array): number => scores.indexOf(scores.reduce((a, b) => Math.max(a, b)));
