/** How good the answers of a fine-tuned model are: figures, and how far they could have come out otherwise. */
import { softmax } from "../api/numbers.ts";
import { ConfigError } from "../errors.ts";
import {
  accuracy,
  argmaxRows,
  at,
  auroc,
  bootstrapAll,
  f1,
  matthews,
  meanPerClass,
  pearson,
  spearman,
} from "../evaluators/index.ts";
import { nearest } from "../tensor/index.ts";
import { outputsOf, type Problem } from "./problem.ts";

/** The head's results for labelled samples, in the order of the source. */
export interface Outputs {
  readonly keys: readonly string[];
  /** (N, outputs). */
  readonly logits: Float32Array;
  /** (N) classes or standardised numbers, or (N, answers) what each answer is worth. */
  readonly targets: Float64Array;
}

/** Numbers by name. */
export type Figures = Readonly<Record<string, number>>;

/** Bounds by the names of figures. */
export type Intervals = Readonly<Record<string, { readonly low: number; readonly high: number }>>;

/** A figure of the samples at these places. Throws DataError where it is not defined. */
type Figure = (places: Int32Array) => number;

/** The figures of a problem, and its loss on these samples. AUROC is left out where all samples are of one class. */
export function figures(problem: Problem, outputs: Outputs): Figures {
  const all = Int32Array.from(outputs.keys, (_, i) => i);
  const found = Object.entries(figuresOf(problem, outputs)).flatMap(([name, figure]) => {
    if (name === "auroc" && new Set(outputs.targets).size < 2) return [];
    return [[name, figure(all)] as const];
  });
  return Object.fromEntries(found);
}

/** Their 95 % bootstrap intervals; a figure that is defined on no resample has none. */
export function figureIntervals(problem: Problem, outputs: Outputs, seed: number): Intervals {
  const found = bootstrapAll(outputs.keys.length, figuresOf(problem, outputs), { seed });
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, { low, high }]) => (Number.isFinite(low) ? [[name, { low, high }]] : [])),
  );
}

function figuresOf({ target }: Problem, { logits, targets }: Outputs): Record<string, Figure> {
  if (target.kind === "number") return numberFigures(logits, targets, target.scale);
  const C = outputsOf(target);
  const said = argmaxRows(logits, C);
  if (target.kind === "answers")
    return { vqa_score: meanOf(Array.from(said, (answer, i) => targets[i * C + answer]!)) };
  const chances = softmaxRows(logits, C);
  const losses = Array.from(targets, (label, i) => -Math.log(Math.max(chances[i * C + label]!, 1e-30)));
  const compare =
    (of: typeof accuracy): Figure =>
    (places) =>
      of(at(said, places), at(targets, places));
  const scores = Float64Array.from(targets, (_, i) => chances[2 * i + 1]!);
  return {
    accuracy: compare(accuracy),
    mean_per_class_recall: compare(meanPerClass),
    ...(C === 2 && {
      f1: compare(f1),
      matthews: compare(matthews),
      auroc: (places) => auroc(at(scores, places), at(targets, places)),
    }),
    loss: meanOf(losses),
  };
}

/** Correlations do not see that targets are standardised; the error is in the labels' own unit. */
function numberFigures(logits: Float32Array, targets: Float64Array, scale: number): Record<string, Figure> {
  const squares = meanOf(Array.from(targets, (target, i) => (logits[i]! - target) ** 2));
  return {
    pearson: (places) => pearson(at(logits, places), at(targets, places)),
    spearman: (places) => spearman(at(logits, places), at(targets, places)),
    rmse: (places) => Math.sqrt(squares(places)) * scale,
    loss: squares,
  };
}

const meanOf =
  (values: readonly number[]): Figure =>
  (places) =>
    places.reduce((sum, i) => sum + values[i]!, 0) / places.length;

/** The probabilities of each row of (N, C). */
export function softmaxRows(logits: Float32Array, C: number): Float64Array {
  const all = new Float64Array(logits.length);
  for (let from = 0; from < logits.length; from += C)
    all.set(softmax(Array.from(logits.subarray(from, from + C))), from);
  return all;
}

/** The figure that chooses the best checkpoint unless another is asked for. */
export const chosenBy = ({ target }: Problem): string =>
  ({ classes: "accuracy", number: "pearson", answers: "vqa_score" })[target.kind];

/** The names of the figures of a problem. */
const figureNames = ({ target }: Problem): string[] =>
  ({
    classes: [
      ...["accuracy", "mean_per_class_recall", "loss"],
      ...(outputsOf(target) === 2 ? ["f1", "matthews", "auroc"] : []),
    ],
    number: ["pearson", "spearman", "rmse", "loss"],
    answers: ["vqa_score"],
  })[target.kind];

/** Throws ConfigError for a figure that the problem does not have. */
export function checkBest(best: string | undefined, problem: Problem): void {
  const names = figureNames(problem);
  if (best !== undefined && !names.includes(best))
    throw new ConfigError(`best: expected one of ${names.join(", ")}, got ${best}`, nearest(best, names));
}

/** What always saying the commonest class, or the mean, scores. */
export function guessFigures({ target }: Problem, train: readonly number[]): Figures {
  if (target.kind !== "classes") return {};
  const all = train.reduce((sum, n) => sum + n, 0);
  return { accuracy: Math.max(...train) / all, loss: Math.log(train.length) };
}
