/** Multinomial logistic regression, at the optimum of scikit-learn's objective. */
import { DataError } from "../../errors.ts";
import { checkFinite, checkLabels } from "../../evaluators/index.ts";
import type { Device } from "../../runtime/index.ts";
import { type Evaluated, minimize } from "./lbfgs.ts";
import { type LinearData, type LinearObjective, linearObjective } from "./linear-objective.ts";
import { type SparseData, sparseObjective, sparseShares } from "./sparse-objective.ts";

/** How a classifier is fitted. */
export interface LogisticOptions {
  /** Inverse strength of the regularisation, as scikit-learn's C. */
  readonly C: number;
  /** Default 1000, as in the paper. */
  readonly maxIterations?: number | undefined;
  /** Of the mean loss, at which a search ends; default 1e-9. */
  readonly tolerance?: number | undefined;
  /** Where a search begins: a classifier of the same classes and width. */
  readonly start?: LinearClassifier | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Scores x·coef + intercept, a column for each class. */
export interface LinearClassifier {
  readonly width: number;
  readonly classes: number;
  /** (D, K), row-major. 0 for a class without samples. */
  readonly coef: Float64Array;
  /** (K), with mean 0 over the classes that have samples; −Infinity for one that has none. */
  readonly intercept: Float64Array;
}

/** A classifier, and how well its search went. */
export interface Fitted extends LinearClassifier {
  /** ½‖W‖² + C·Σ log-loss. */
  readonly loss: number;
  readonly iterations: number;
  /** Of the loss and its gradient. */
  readonly evaluations: number;
  /** False where the iterations were used up before the gradient had vanished. */
  readonly converged: boolean;
  /** Largest entry of the gradient by the scaled variables of the search, over C·N. */
  readonly gradientNorm: number;
  /** Classes without a sample: they are never predicted. */
  readonly missing: readonly number[];
}

/** scikit-learn's default is 1e-4. */
const TOLERANCE = 1e-9;

/**
 * Minimises ½‖W‖² + C·Σ −log softmax(x·W + b)[label] in float64; b is free. With two classes scikit-learn has one column w for both, which
 * is W = (−w/2, w/2) and the penalty ‖W‖². Throws DataError for features that are no finite numbers, labels out of range, and where fewer
 * than two classes have samples.
 */
export async function fitLogistic(device: Device, data: LinearData, options: LogisticOptions): Promise<Fitted> {
  checkFinite("logistic regression: features", data.x, data.width);
  const { packed, present } = packClasses(data);
  const { mean, variance } = moments(packed);
  await using objective = await linearObjective(device, packed, mean);
  return await solve(objective, packed, { ...options, mean, variance, present, classes: data.classes });
}

/** As `fitLogistic`, of rows that say which features they have: their entries are 1, the others 0. */
export async function fitSparse(data: SparseData, options: LogisticOptions): Promise<Fitted> {
  const { packed, present } = packClasses(data);
  const share = sparseShares(packed);
  const objective = sparseObjective(packed, share, options.signal);
  return solve(objective, packed, {
    ...options,
    ...{ mean: share, variance: share.map((p) => p * (1 - p)), present, classes: data.classes },
  });
}

/** Classes with a sample, numbered anew. Throws DataError where there are fewer than two. */
function packClasses<T extends Labelled>(data: T): { packed: T; present: readonly number[] } {
  checkLabels("logistic regression", data.labels, data.classes);
  const present = presentClasses(data);
  const labels = Int32Array.from(data.labels, (l) => present.indexOf(l));
  return { packed: { ...data, labels, classes: present.length }, present };
}

type Labelled = Pick<LinearData, "width" | "labels" | "classes">;

interface FitOptions extends LogisticOptions {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly present: readonly number[];
  /** With those that have no sample. */
  readonly classes: number;
}

async function solve(objective: LinearObjective, packed: Labelled, options: FitOptions): Promise<Fitted> {
  const { mean, variance, present, classes } = options;
  const scales = scalesOf(packed, mean, variance, options.C);
  const found = await search(objective, packed, scales, options, present);
  return unpack(found, packed, scales, classes, present);
}

function presentClasses({ labels, classes }: Labelled): number[] {
  const seen = new Set(Array.from(labels));
  const present = Array.from({ length: classes }, (_, k) => k).filter((k) => seen.has(k));
  if (present.length < 2)
    throw new DataError(
      `logistic regression: expected samples of two classes or more, got ${labels.length} samples of ${present.length}`,
    );
  return present;
}

/** Mean and step of each feature: the search moves W[d] in steps that change the objective alike for every feature. */
interface Scales {
  readonly mean: Float64Array;
  readonly feature: Float64Array;
  readonly intercept: number;
  readonly l2: number;
}

/** Of each feature over the rows. */
function moments({ x, width: D, labels }: LinearData): { mean: Float64Array; variance: Float64Array } {
  const N = labels.length;
  const mean = new Float64Array(D);
  for (let n = 0; n < N; n++) for (let d = 0; d < D; d++) mean[d]! += x[n * D + d]! / N;
  const variance = new Float64Array(D);
  for (let n = 0; n < N; n++) for (let d = 0; d < D; d++) variance[d]! += (x[n * D + d]! - mean[d]!) ** 2 / N;
  return { mean, variance };
}

function scalesOf({ labels, classes: K }: Labelled, mean: Float64Array, variance: Float64Array, C: number): Scales {
  const l2 = K === 2 ? 2 : 1;
  const curvature = (C * labels.length * (1 - 1 / K)) / K; // of a guess
  return {
    mean,
    feature: variance.map((v) => 1 / Math.sqrt(curvature * v + l2)),
    intercept: 1 / Math.sqrt(curvature),
    l2,
  };
}

interface Searched {
  readonly w: Float64Array;
  readonly b: Float64Array;
  readonly loss: number;
  readonly iterations: number;
  readonly evaluations: number;
  readonly converged: boolean;
  readonly gradientNorm: number;
}

async function search(
  objective: LinearObjective,
  { labels, width: D, classes: K }: Labelled,
  scales: Scales,
  { C, maxIterations = 1000, tolerance = TOLERANCE, start, signal }: LogisticOptions,
  present: readonly number[],
): Promise<Searched> {
  const unscaled = (v: Float64Array): { w: Float64Array; b: Float64Array } => {
    const [w, b] = [v.slice(0, D * K), v.slice(D * K)];
    scaleRows(w, scales.feature);
    for (let k = 0; k < K; k++) b[k]! *= scales.intercept;
    return { w, b };
  };
  const weight = 1 / (C * labels.length);
  const evaluate = async (v: Float64Array): Promise<Evaluated> => {
    const { w, b } = unscaled(v);
    const data = await objective.evaluate(w, b);
    let penalty = 0;
    const gradient = new Float64Array(v.length);
    for (let i = 0; i < w.length; i++) {
      penalty += w[i]! * w[i]!;
      gradient[i] = (C * data.w[i]! + scales.l2 * w[i]!) * weight;
    }
    scaleRows(gradient.subarray(0, D * K), scales.feature);
    for (let k = 0; k < K; k++) gradient[D * K + k] = C * data.b[k]! * scales.intercept * weight;
    return { value: (C * data.loss + (scales.l2 / 2) * penalty) * weight, gradient };
  };
  const first = start ? scaledStart(start, scales, present) : new Float64Array((D + 1) * K);
  // In these variables the curvature is about C·N times the weight, so this is a tolerance of the mean loss.
  const found = await minimize({
    evaluate,
    start: first,
    maxIterations,
    tolerance: tolerance * Math.sqrt(weight),
    signal,
  });
  const converged = found.ended !== "iterations";
  return { ...unscaled(found.x), ...found, loss: found.value / weight, converged };
}

/** Multiplies row d of (D, K) by `factors[d]`. */
function scaleRows(w: Float64Array, factors: Float64Array): void {
  const K = w.length / factors.length;
  for (let d = 0; d < factors.length; d++) for (let k = 0; k < K; k++) w[d * K + k]! *= factors[d]!;
}

function scaledStart(start: LinearClassifier, scales: Scales, present: readonly number[]): Float64Array {
  const { width: D, classes } = start;
  const K = present.length;
  const v = new Float64Array((D + 1) * K);
  for (const [k, own] of present.entries()) {
    let shift = start.intercept[own]!;
    for (let d = 0; d < D; d++) {
      const w = start.coef[d * classes + own]!;
      v[d * K + k] = w / scales.feature[d]!;
      shift += w * scales.mean[d]!;
    }
    v[D * K + k] = Number.isFinite(shift) ? shift / scales.intercept : 0;
  }
  return v;
}

function unpack(
  found: Searched,
  { width: D }: Labelled,
  { mean }: Scales,
  classes: number,
  present: readonly number[],
): Fitted {
  const K = present.length;
  const coef = new Float64Array(D * classes);
  const intercept = new Float64Array(classes).fill(Number.NEGATIVE_INFINITY);
  for (const [k, own] of present.entries()) {
    let b = found.b[k]!;
    for (let d = 0; d < D; d++) {
      coef[d * classes + own] = found.w[d * K + k]!;
      b -= found.w[d * K + k]! * mean[d]!;
    }
    intercept[own] = b;
  }
  const middle = present.reduce((sum, k) => sum + intercept[k]!, 0) / K;
  for (const k of present) intercept[k]! -= middle;
  const { loss, iterations, evaluations, converged, gradientNorm } = found;
  const missing = Array.from({ length: classes }, (_, k) => k).filter((k) => !present.includes(k));
  return { width: D, classes, coef, intercept, loss, iterations, evaluations, converged, gradientNorm, missing };
}

/** Scores (N, K) of rows (N, D). */
export function logits(
  { width: D, classes: K, coef, intercept }: LinearClassifier,
  x: ArrayLike<number>,
): Float64Array {
  const N = x.length / D;
  const out = new Float64Array(N * K);
  for (let n = 0; n < N; n++) {
    const row = out.subarray(n * K, (n + 1) * K);
    row.set(intercept);
    for (let d = 0; d < D; d++) {
      const value = x[n * D + d]!;
      for (let k = 0; k < K; k++) row[k]! += value * coef[d * K + k]!;
    }
  }
  return out;
}
