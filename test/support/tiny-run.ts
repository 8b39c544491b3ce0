/** A run of four tiny stages on synthetic data, and what of a run's folder must be the same in every run of it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseRecipe, type Recipe } from "../../src/pretrain/recipe/index.ts";
import { pretrain, type RunOptions } from "../../src/pretrain/run/run.ts";
import { KINDS, RECIPE } from "./stage-case.ts";

const held = (seed: number, count = 8) => ({ type: "synthetic", count, size: 16, seed }) as const;

/** Logs, evaluates and saves at different steps, so that an interruption is between two of each. */
export const STAGE = {
  steps: 5,
  batchSize: 4,
  optimizer: { lr: 1e-2 },
  schedule: { kind: "cosine", warmupSteps: 2 },
  clipNorm: 1,
  every: { log: 2, eval: 3, save: 2 },
  saveTotalLimit: null,
};

/** The recipe as a file holds it. */
export const TINY_RUN = {
  ...RECIPE,
  data: { ...RECIPE.data, workers: 0 },
  name: "tiny-run",
  evaluation: {
    validation: { validation: held(7) },
    test: { held: held(8) },
    texts: [held(9)],
    maxPairs: 8,
    batchSize: 8,
  },
  stages: {
    codebook: { ...STAGE, ...KINDS.dvae, kind: "dvae" },
    text: { ...STAGE, ...KINDS["text-mlm"], kind: "text-mlm", best: { metric: "eval/mlm/loss", mode: "min" } },
    image: { ...STAGE, ...KINDS["image-mim"], kind: "image-mim", init: { codebook: "codebook" } },
    joint: {
      ...STAGE,
      ...KINDS.joint,
      kind: "joint",
      sampling: { pairs: 2, images: 1, texts: 1 },
      gradientAccumulationSteps: 2,
      init: { image: "image", text: "text", codebook: "codebook" },
      best: { metric: "eval/validation/i2t_r1", mode: "max" },
    },
  },
};

/** The recipe of a run into this folder; `changes` replace fields of the file. */
export function tinyRun(runDir: string, changes: object = {}): Recipe {
  return parseRecipe({ ...TINY_RUN, runDir, ...changes });
}

/** Runs it, or goes on with it. */
export const start = (recipe: Recipe, resume?: string, options: RunOptions = {}, stage?: string) =>
  pretrain({ recipe, resume, stage, command: "a test" }, options);

/** How fast it went, which no two runs share. */
const isRate = (name: string): boolean => /^time(\/|$)|^samples_per_second$/.test(name);

/** metrics.jsonl without times and rates. */
export async function metricsOf(runDir: string): Promise<Record<string, unknown>[]> {
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => Object.fromEntries(Object.entries(JSON.parse(line)).filter(([name]) => !isRate(name))));
}

/** The exported model and the last checkpoint of each stage: bytes of tensors, and cursors, counters and the best so far. */
export async function resultsOf(
  runDir: string,
  stages: Readonly<Record<string, number>>,
): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = { model: await digest(join(runDir, "model.safetensors")) };
  for (const [stage, steps] of Object.entries(stages)) {
    const folder = join(runDir, stage, `checkpoint-${steps}`);
    for (const name of ["model", "optimizer"])
      results[`${stage}/${name}`] = await digest(join(folder, `${name}.safetensors`));
    const state = JSON.parse(await readFile(join(folder, "state.json"), "utf8"));
    const { loader, means } = state.cursors;
    const sums = Object.fromEntries(Object.entries(means).filter(([name]) => !isRate(name)));
    results[`${stage}/state`] = { loader, sums, counters: state.counters, best: state.best, hash: state.recipeHash };
  }
  return results;
}

async function digest(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
