/** What a fine-tuned model says of samples, and how good that is. */
import { createRunner, type Runner } from "../api/index.ts";
import { softmax } from "../api/numbers.ts";
import { type BadSample, type PixelCache, passBatches, type Source, type TaskBuild } from "../data/index.ts";
import { ConfigError, DataError, NonFiniteError } from "../errors.ts";
import { accuracy, argmaxRows, auroc, f1, matthews, meanPerClass, pearson, spearman } from "../evaluators/index.ts";
import { type FlavaConfig, taskGraph } from "../models/flava/index.ts";
import type { State } from "../runtime/index.ts";
import { nearest } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { builtTarget, headOf, outputsOf, type Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";

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

/** Asks a model in training. */
export interface Measurer {
  outputs(source: Source, signal?: AbortSignal, onProgress?: (done: number) => void): Promise<Outputs>;
  dispose(): void;
}

/** What a measurer is made of. */
export interface MeasurerParts {
  readonly config: FlavaConfig;
  readonly problem: Problem;
  readonly settings: Pick<Settings, "headHidden" | "textLength" | "imageSize">;
  readonly state: State;
  readonly tokenizer: TextTokenizer | undefined;
  readonly batchSize: number;
  /** How a whole picture is prepared, where that is not as published. */
  readonly whole?: NonNullable<TaskBuild["image"]>["whole"];
  readonly pixels?: PixelCache | undefined;
  readonly workers?: number | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** The batches of a problem without crops and flips. */
export function plainBuild({
  problem,
  settings,
  whole,
}: Pick<MeasurerParts, "problem" | "settings" | "whole">): TaskBuild {
  const { inputs, textPairs, target } = problem;
  return {
    ...(inputs !== "text" && { image: { size: settings.imageSize, augment: null, whole } }),
    ...(inputs !== "image" && { text: { length: settings.textLength, pairs: textPairs } }),
    target: builtTarget(target),
  };
}

/** What batches call the targets of each kind. */
const FIELD = { classes: "labels", number: "targets", answers: "scores" } as const;

/** A measurer on the weights of a state, as they are at each call. */
export function createMeasurer(parts: MeasurerParts): Measurer {
  const { config, problem, settings, state, batchSize: batch, tokenizer, pixels, workers, onBad } = parts;
  const head = headOf(problem, settings.headHidden);
  const graph = taskGraph(config, head, { batch, textLength: settings.textLength });
  const runner: Runner = createRunner(state.device, graph, batch, { state });
  const build = { kind: "task" as const, task: plainBuild(parts) };
  return {
    async outputs(source, signal, onProgress) {
      const keys: string[] = [];
      const [logits, targets]: [number[], number[]] = [[], []];
      const options = {
        name: "measure",
        build,
        batchSize: batch,
        sources: [{ source }],
        tokenizer,
        pixels,
        workers,
        signal,
        onBad,
      };
      for await (const { feeds, samples } of passBatches(options)) {
        const found = (await runner.run(feeds, signal)).logits!;
        for (const value of found.data as Float32Array) logits.push(finite(value, source));
        for (const value of feeds[FIELD[problem.target.kind]]!.data as Float32Array) targets.push(value);
        keys.push(...samples);
        onProgress?.(keys.length);
      }
      if (keys.length === 0) throw new DataError(`${source.name}: expected samples that can be read, got none`);
      return { keys, logits: Float32Array.from(logits), targets: Float64Array.from(targets) };
    },
    dispose: () => runner.dispose(),
  };
}

function finite(value: number, { name }: Source): number {
  if (Number.isFinite(value)) return value;
  throw new NonFiniteError(
    `${name}: expected finite numbers from the head, got ${value}: the training has diverged`,
    "try a lower learning rate, --set lr=…, or a longer warm-up, --set warmupSteps=…",
  );
}

/** The figures of a problem, and its loss on these samples. */
export function figures({ target }: Problem, { logits, targets }: Outputs): Figures {
  if (target.kind === "number") return numberFigures(logits, targets, target.scale);
  const C = outputsOf(target);
  const said = argmaxRows(logits, C);
  if (target.kind === "answers") {
    const worth = Array.from(said, (answer, i) => targets[i * C + answer]!);
    return { vqa_score: worth.reduce((sum, x) => sum + x, 0) / worth.length };
  }
  const chances = softmaxRows(logits, C);
  const loss = Array.from(targets, (label, i) => -Math.log(Math.max(chances[i * C + label]!, 1e-30)));
  return {
    accuracy: accuracy(said, targets),
    mean_per_class_recall: meanPerClass(said, targets),
    ...(C === 2 && { f1: f1(said, targets), matthews: matthews(said, targets), ...ranking(chances, targets) }),
    loss: loss.reduce((sum, x) => sum + x, 0) / loss.length,
  };
}

/** Not defined where all samples are of one class. */
function ranking(chances: Float64Array, targets: Float64Array): Figures {
  if (new Set(targets).size < 2) return {};
  const scores = Float64Array.from(targets, (_, i) => chances[2 * i + 1]!);
  return { auroc: auroc(scores, targets) };
}

/** Correlations do not see that targets are standardised; the error is in the labels' own unit. */
function numberFigures(logits: Float32Array, targets: Float64Array, scale: number): Figures {
  const squares = Array.from(targets, (target, i) => (logits[i]! - target) ** 2);
  const mse = squares.reduce((sum, x) => sum + x, 0) / squares.length;
  return {
    pearson: pearson(logits, targets),
    spearman: spearman(logits, targets),
    rmse: Math.sqrt(mse) * scale,
    loss: mse,
  };
}

/** The probabilities of each row of (N, C). */
export function softmaxRows(logits: Float32Array, C: number): Float64Array {
  const all = new Float64Array(logits.length);
  for (let at = 0; at < logits.length; at += C) all.set(softmax(Array.from(logits.subarray(at, at + C))), at);
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
