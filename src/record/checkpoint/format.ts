/**
 * What a checkpoint folder holds: `checkpoint-<step>/{model,optimizer}.safetensors` and `state.json` (the layout of Hugging
 * Face's Trainer, with safetensors and JSON for everything).
 */
import { z } from "zod";
import type { Json } from "../../io/index.ts";

export const MODEL_FILE = "model.safetensors";
export const OPTIMIZER_FILE = "optimizer.safetensors";
export const STATE_FILE = "state.json";
export const BEST_FILE = "best.json";

export const folderName = (step: number): string => `checkpoint-${step}`;

/** The step of a checkpoint folder's name; undefined for any other name, a temporary one among them. */
export function stepOf(name: string): number | undefined {
  const match = /^checkpoint-(0|[1-9]\d{0,14})$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** The best value of the metric that a stage selects by, and where it was reached. */
export interface BestSoFar {
  readonly metric: string;
  readonly mode: "min" | "max";
  readonly value: number;
  readonly step: number;
}

export interface FileSum {
  readonly bytes: number;
  readonly sha256: string;
}

/** The version of this layout. 2: the counter of an evaluation that is due has its present name; held-out metrics begin with `eval/`. */
export const FORMAT = 2;

/** Everything a run is besides its tensors. The loss of a field would make a resumed run another run. */
export interface CheckpointState {
  readonly format: typeof FORMAT;
  readonly stage: string;
  /** The last step that is done. */
  readonly step: number;
  readonly seed: number;
  /** Where each data source continues, by its name, and any other state that is between two steps. */
  readonly cursors: Readonly<Record<string, Json>>;
  /** Samples seen and the like, by name. */
  readonly counters: Readonly<Record<string, number>>;
  readonly best: BestSoFar | null;
  /** The resolved recipe, and the hash of the part of it that decides the numbers. */
  readonly recipe: Json;
  readonly recipeHash: string;
  /** Sizes and switches that the tensors depend on, the vocabulary's among them. */
  readonly architecture: Json;
  /** Of this package, Node and the engine. */
  readonly versions: Readonly<Record<string, string>>;
  /** Sizes and hashes of the other files of the folder. */
  readonly files: Readonly<Record<string, FileSum>>;
}

/** The counter that says that the evaluation of this step was cut off and is still due. */
export const EVALUATION_DUE = "evaluation_due";

export const evaluationDue = ({ counters }: Pick<CheckpointState, "counters">): boolean =>
  (counters[EVALUATION_DUE] ?? 0) > 0;

const count = z.int().nonnegative();

export const bestSchema: z.ZodType<BestSoFar> = z.strictObject({
  metric: z.string(),
  mode: z.enum(["min", "max"]),
  value: z.number(),
  step: count,
});

export const stateSchema: z.ZodType<CheckpointState> = z.strictObject({
  format: z.literal(FORMAT),
  stage: z.string(),
  step: count,
  seed: count,
  cursors: z.record(z.string(), z.json()),
  counters: z.record(z.string(), z.number()),
  best: bestSchema.nullable(),
  recipe: z.json(),
  recipeHash: z.string(),
  architecture: z.json(),
  versions: z.record(z.string(), z.string()),
  files: z.record(
    z.string().regex(/^[a-z]+\.safetensors$/),
    z.strictObject({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});
