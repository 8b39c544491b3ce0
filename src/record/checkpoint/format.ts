/**
 * What a checkpoint folder holds: `checkpoint-<step>/{model,optimizer}.safetensors` and `state.json` (the layout of Hugging
 * Face's Trainer, with safetensors and JSON for everything).
 */
import { createHash } from "node:crypto";
import { z } from "zod";

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

/** Plain data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

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

/** Everything a run is besides its tensors. The loss of a field would make a resumed run another run. */
export interface CheckpointState {
  readonly format: 1;
  readonly stage: string;
  /** The last step that is done. */
  readonly step: number;
  readonly seed: number;
  /** Where each data source goes on, by its name, and whatever else is in the middle of something. */
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

/** The counter of a step whose evaluation was cut off. */
export const OWED = "evaluations_owed";

export const owesEvaluation = ({ counters }: Pick<CheckpointState, "counters">): boolean => (counters[OWED] ?? 0) > 0;

const count = z.int().nonnegative();

export const bestSchema: z.ZodType<BestSoFar> = z.strictObject({
  metric: z.string(),
  mode: z.enum(["min", "max"]),
  value: z.number(),
  step: count,
});

export const stateSchema: z.ZodType<CheckpointState> = z.strictObject({
  format: z.literal(1),
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

/** SHA-256 of plain data, the same for the same data in another order of keys. */
export const hashOf = (value: Json): string => createHash("sha256").update(canonical(value)).digest("hex");

function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(",")}}`;
}
