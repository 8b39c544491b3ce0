/** Linear evaluation: a classifier on frozen features, as the paper measures its 22 vision tasks. */
import { DataError } from "../../errors.ts";
import { accuracy, argmaxRows, checkFinite, type Interval } from "../../evaluators/index.ts";
import type { Device } from "../../runtime/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import { classificationFigures } from "../figures.ts";
import type { Features } from "./features.ts";
import type { LinearData } from "./linear-objective.ts";
import { type Fitted, fitLogistic, logits } from "./logistic.ts";
import { type Swept, sweepC, type Tried } from "./sweep.ts";

/** Features of the splits. */
export interface LinearSplits {
  readonly train: Features;
  /** A fifth of each class of `train` unless given. */
  readonly validation?: Features | undefined;
  readonly test: Features;
}

/** Seed of what is drawn; iterations of a fit. */
export interface LinearOptions {
  readonly seed?: number | undefined;
  readonly maxIterations?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onTried?: ((tried: Tried) => void) | undefined;
}

/** A classifier and how it does on the test split. */
export interface LinearResult {
  readonly classes: readonly string[];
  readonly classifier: Fitted;
  readonly swept: Swept;
  /** In 0..1, with CLIP_benchmark's names. */
  readonly metrics: Readonly<Record<"lp_acc1" | "lp_acc5" | "lp_mean_per_class_recall" | "majority", number>>;
  /** Of each, but the last: it is not the model's. */
  readonly intervals: Readonly<Record<"lp_acc1" | "lp_acc5" | "lp_mean_per_class_recall", Interval>>;
  /** Classes of the test split that no training sample has: their samples count as wrong. */
  readonly unseen: readonly string[];
  readonly samples: Readonly<Record<"train" | "validation" | "test", number>>;
}

/**
 * C is chosen on the validation split, the classifier is fitted once more on training and validation samples together, and the test split
 * is looked at once. Throws DataError where fewer than two classes have training samples, and for features that are no finite numbers.
 */
export async function linearEvaluation(
  device: Device,
  splits: LinearSplits,
  options: LinearOptions = {},
): Promise<LinearResult> {
  const { seed = 0 } = options;
  const { test } = splits;
  for (const [name, features] of Object.entries(splits) as [string, Features | undefined][])
    if (features) checkFinite(`linear evaluation: features of the ${name} split`, features.x, features.width);
  const classes = [
    ...new Set([splits.train, ...(splits.validation ? [splits.validation] : []), test].flatMap(({ labels }) => labels)),
  ].sort(byName);
  const [train, validation] = splits.validation
    ? [dataOf(splits.train, classes), dataOf(splits.validation, classes)]
    : carve(dataOf(splits.train, classes), seed);
  const swept = await sweepC(device, { ...options, train, validation });
  const classifier = await fitLogistic(device, together(train, validation), { ...options, C: swept.C });
  const asked = dataOf(test, classes);
  const scores = logits(classifier, asked.x);
  const said = argmaxRows(scores, classes.length);
  const { metrics, intervals } = classificationFigures(
    { said, scores, targets: Int32Array.from(asked.labels), classes: classes.length },
    { plain: "lp_acc1", five: "lp_acc5", perClass: "lp_mean_per_class_recall" },
    seed,
  );
  const known = new Set(Array.from(together(train, validation).labels));
  return {
    classes,
    classifier,
    swept,
    metrics: { ...metrics, majority: majority(train, asked) },
    intervals,
    unseen: classes.filter((_, k) => !known.has(k) && Array.from(asked.labels).includes(k)),
    samples: { train: train.labels.length, validation: validation.labels.length, test: asked.labels.length },
  };
}

/** Numbers in their order, other names in that of their letters. */
const byName = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);

function dataOf({ x, width, labels }: Features, classes: readonly string[]): LinearData {
  const numbers = new Map(classes.map((name, k) => [name, k]));
  return { x, width, labels: Int32Array.from(labels, (name) => numbers.get(name)!), classes: classes.length };
}

/** A fifth of each class, at least one sample of those that have two or more, drawn by the seed. */
function carve(data: LinearData, seed: number): [LinearData, LinearData] {
  const places = new Map<number, number[]>();
  for (let i = 0; i < data.labels.length; i++) {
    const own = places.get(data.labels[i]!) ?? [];
    own.push(i);
    places.set(data.labels[i]!, own);
  }
  const held = new Set<number>();
  for (const [label, own] of places) {
    const order = permutation(own.length, random(seed, "probe-validation", label));
    const count = own.length < 2 ? 0 : Math.max(1, Math.round(own.length / 5));
    for (let i = 0; i < count; i++) held.add(own[order[i]!]!);
  }
  if (held.size === 0)
    throw new DataError(
      "linear evaluation: expected a class with two samples or more, to choose the regularisation on",
    );
  const all = Array.from({ length: data.labels.length }, (_, i) => i);
  return [
    rowsOf(
      data,
      all.filter((i) => !held.has(i)),
    ),
    rowsOf(
      data,
      all.filter((i) => held.has(i)),
    ),
  ];
}

function rowsOf({ x, width, labels, classes }: LinearData, rows: readonly number[]): LinearData {
  const out = new Float32Array(rows.length * width);
  for (const [r, i] of rows.entries()) for (let d = 0; d < width; d++) out[r * width + d] = x[i * width + d]!;
  return { x: out, width, labels: Int32Array.from(rows, (i) => labels[i]!), classes };
}

function together(a: LinearData, b: LinearData): LinearData {
  const x = new Float32Array(a.x.length + b.x.length);
  x.set(a.x);
  x.set(b.x, a.x.length);
  return { ...a, x, labels: Int32Array.from([...Array.from(a.labels), ...Array.from(b.labels)]) };
}

/** Share of the test samples in the commonest class of the training samples. */
function majority(train: LinearData, test: LinearData): number {
  const counts = new Int32Array(train.classes);
  for (let i = 0; i < train.labels.length; i++) counts[train.labels[i]!]!++;
  const commonest = argmaxRows(counts, train.classes)[0]!;
  return accuracy(new Int32Array(test.labels.length).fill(commonest), test.labels);
}
