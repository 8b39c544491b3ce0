/** What the words of a task give away: a classifier that sees no picture and no order of words, and the commonest answer. */
import type { BadSample, Sample, Source } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { accuracy, answerScores, at, bootstrap, type Interval, meanPerClass } from "../../evaluators/index.ts";
import { argmax, fitWords, type LabelledTexts } from "../probe/bag-of-words.ts";
import type { Refused, StreamOptions } from "./streams.ts";

/** Splits of a task with texts. */
export interface TextSplits {
  readonly train: Source;
  readonly validation?: Source | undefined;
  readonly test: Source;
}

/** How well words alone do. */
export interface WordsResult {
  /**
   * In 0..1. `accuracy` and `mean_per_class_recall`, or `vqa_score` where samples have answers of several people; `prior`, the same
   * figure for the commonest training answer to a text of the same wording; `majority`, for the commonest of all.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the first metric. */
  readonly interval: Interval;
  readonly C: number;
  readonly samples: Readonly<Record<"train" | "validation" | "test", number>>;
  readonly refused: readonly Refused[];
}

interface Row {
  readonly texts: readonly string[];
  /** What it is worth to say this: 1 for the label, or what people's answers are worth. */
  readonly worth: ReadonlyMap<string, number>;
  readonly best: string;
  /** Whether people answered. */
  readonly answered: boolean;
}

/** Throws DataError where there is nothing to learn or to ask. */
export async function wordsAlone(splits: TextSplits, { signal }: StreamOptions = {}): Promise<WordsResult> {
  const refused: Refused[] = [];
  const train = await rowsOf(splits.train, refused, signal);
  const validation = splits.validation ? await rowsOf(splits.validation, refused, signal) : [];
  const test = await rowsOf(splits.test, refused, signal);
  const answers = [...new Set([...train, ...validation].map(({ best }) => best))].sort();
  const numbers = new Map(answers.map((answer, k) => [answer, k]));
  const numbered = (rows: readonly Row[]): LabelledTexts[] =>
    rows.map(({ texts, best }) => ({ texts, label: numbers.get(best)! }));
  const words = await fitWords(numbered(train), numbered(validation), { classes: answers.length, signal });
  const said = test.map(({ texts }) => answers[argmax(words.scores(texts))]!);
  const worth = Float64Array.from(test, ({ worth }, i) => worth.get(said[i]!) ?? 0);
  const samples = { train: train.length, validation: validation.length, test: test.length };
  return {
    metrics: { ...figuresOf(test, said, worth), ...priors([...train, ...validation], test) },
    interval: bootstrap(worth.length, (places) => mean(at(worth, places))),
    ...{ C: words.C, samples, refused },
  };
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

function figuresOf(test: readonly Row[], said: readonly string[], worth: Float64Array): Record<string, number> {
  if (test.some(({ answered }) => answered)) return { vqa_score: mean(worth) };
  const names = [...new Set([...said, ...test.map(({ best }) => best)])];
  const [given, right] = [said, test.map(({ best }) => best)].map((all) =>
    Int32Array.from(all, (name) => names.indexOf(name)),
  );
  return { accuracy: accuracy(given!, right!), mean_per_class_recall: meanPerClass(given!, right!) };
}

/** What is scored without looking at more than the wording of a text as a whole, or not even that. */
function priors(train: readonly Row[], test: readonly Row[]): { prior: number; majority: number } {
  const byText = new Map<string, Row[]>();
  for (const row of train) byText.set(row.texts.join("\n"), [...(byText.get(row.texts.join("\n")) ?? []), row]);
  const majority = commonest(train);
  const known = new Map([...byText].map(([text, rows]) => [text, commonest(rows)]));
  const scored = (say: (row: Row) => string): number => mean(test.map((row) => row.worth.get(say(row)) ?? 0));
  return { prior: scored(({ texts }) => known.get(texts.join("\n")) ?? majority), majority: scored(() => majority) };
}

function commonest(rows: readonly Row[]): string {
  const worth = new Map<string, number>();
  for (const row of rows) for (const [answer, score] of row.worth) worth.set(answer, (worth.get(answer) ?? 0) + score);
  return [...worth].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]![0];
}

async function rowsOf(source: Source, refused: Refused[], signal?: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  const onBad = ({ key, reason, kept }: BadSample): void => {
    if (!kept) refused.push({ key, reason });
  };
  for await (const { sample } of source.samples({ signal, onBad })) {
    const row = rowOf(sample);
    if (typeof row === "string") refused.push({ key: sample.key, reason: row });
    else rows.push(row);
  }
  if (rows.length === 0)
    throw new DataError(
      `${source.name}: expected texts with labels, got none`,
      refused[0] && `${refused[0].key}: ${refused[0].reason}`,
    );
  return rows;
}

function rowOf({ texts = [], label, meta }: Sample): Row | string {
  if (texts.length === 0) return "the text is missing";
  if (typeof meta?.answers === "string") {
    const worth = answerScores(meta.answers.split("\n"));
    const best = [...worth].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
    return { texts, worth, best, answered: true };
  }
  if (label === undefined) return "the label is missing";
  return { texts, worth: new Map([[String(label), 1]]), best: String(label), answered: false };
}
