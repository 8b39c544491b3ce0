/** What a model in fine-tuning says of samples. */
import { createRunner, type Runner } from "../api/index.ts";
import { type BadSample, type PixelCache, passBatches, type Source, type TaskBuild } from "../data/index.ts";
import { DataError, NonFiniteError } from "../errors.ts";
import type { Model } from "../models/index.ts";
import type { State } from "../runtime/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import type { Outputs } from "./figures.ts";
import { builtTarget, headOf, type Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";

/** Asks a model in training. */
export interface Measurer {
  outputs(source: Source, signal?: AbortSignal, onProgress?: (done: number) => void): Promise<Outputs>;
  dispose(): void;
}

/** What a measurer is made of. */
export interface MeasurerParts {
  /** Its `task` is what is asked. */
  readonly model: Model;
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
  const { model, problem, settings, state, batchSize: batch, tokenizer, pixels, workers, onBad } = parts;
  const head = headOf(problem, settings.headHidden);
  const graph = model.task!(head, { batch, textLength: settings.textLength });
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
