/**
 * The starter recipe of each compared system, and FLAVA's joint stage, some steps each on their own data: steps and samples a second, and
 * the operations that the engine does a second as a share of those of a plain matrix product.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { graph, input, matmul } from "../src/graph/index.ts";
import { type Recipe, resolveRecipe } from "../src/pretrain/recipe/index.ts";
import { createSources, runTokenizer } from "../src/pretrain/run/inputs.ts";
import { measureStage } from "../src/pretrain/run/measure.ts";
import { pretrain } from "../src/pretrain/run/run.ts";
import { tables, withVocabulary } from "../src/pretrain/tables.ts";
import { loadMetrics, type MetricsLine } from "../src/record/index.ts";
import { compile, openDevice } from "../src/runtime/index.ts";
import type { TextTokenizer } from "../src/text/index.ts";
import { figure, median, noise, say, seconds } from "./measure.ts";

const SYSTEMS = ["clip", "align", "simvlm", "unit", "vinvl", "volta", "vilt", "albef"] as const;
const RECIPES: readonly (readonly [name: string, path: string, stage: string])[] = [
  ["flava", "recipes/compared/layers/flava.yaml", "joint"],
  ...SYSTEMS.map((name) => [name, `recipes/compared/${name}-starter.yaml`, name] as const),
];

/** The first steps fill caches and arenas. */
const WARM_UP = 4;
/** A row of tokens times a feed-forward layer of FLAVA-base, as in the core's benchmark. */
const [ROWS, WIDTH, WIDER] = [1576, 768, 3072];

/** Prints `<system>_steps_per_s`, `_samples_per_s`, `_over_matmul` and, where flava is one of them, `_over_flava`: the share beside FLAVA's. */
export async function systems(steps: number, threads: number | undefined, only: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "flava-bench-"));
  try {
    const words = await commonTokenizer(join(folder, "tokenizer.json"));
    const peak = await productSpeed(threads);
    figure("matmul_gflops", peak / 1e9, 1);
    let flava: number | undefined;
    for (const [name, path, stage] of RECIPES.filter(([name]) => only.length === 0 || only.includes(name))) {
      const own = { runDir: join(folder, name), stage, steps, words, threads };
      const { stepsPerSecond, batchSize, flops } = await measured(path, own);
      if (name === "flava") flava = flops / peak;
      figure(`${name}_steps_per_s`, stepsPerSecond);
      figure(`${name}_samples_per_s`, stepsPerSecond * batchSize, 0);
      figure(`${name}_over_matmul`, flops / peak);
      if (flava !== undefined) figure(`${name}_over_flava`, flops / peak / flava, 2);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Words {
  readonly path: string;
  readonly tokenizer: TextTokenizer;
}

async function commonTokenizer(path: string): Promise<Words> {
  const { recipe } = await resolveRecipe("recipes/starter.yaml");
  return { path, tokenizer: await runTokenizer(recipe, createSources(recipe), path, { note: say }) };
}

/** Operations a second of a plain product. */
async function productSpeed(threads: number | undefined): Promise<number> {
  const device = await openDevice("cpu", threads ? { threads } : {});
  const y = matmul(input("a", [ROWS, WIDTH]), input("b", [WIDTH, WIDER]));
  using product = await compile(graph("product", { y }), device, { purpose: "training" });
  const feeds = { a: noise("a", [ROWS, WIDTH]), b: noise("b", [WIDTH, WIDER]) };
  await product.run(feeds);
  const times: number[] = [];
  for (let i = 0; i < 15; i++) times.push(await seconds(() => product.run(feeds)));
  return (2 * ROWS * WIDTH * WIDER) / median(times);
}

interface Choice {
  readonly runDir: string;
  readonly stage: string;
  readonly steps: number;
  readonly words: Words;
  readonly threads: number | undefined;
}

async function measured(path: string, choice: Choice) {
  const { stage: name, runDir } = choice;
  const recipe = await shortened(path, choice);
  const reporter = { note: say, begin: () => undefined, step: () => undefined, end: () => undefined };
  await pretrain({ recipe, command: "npm run bench systems" }, { reporter });
  const { lines } = await loadMetrics(runDir);
  const own = lines.filter(({ stage, values }) => stage === name && typeof values.loss === "number");
  const { flops = {}, losses = {} } = await measureStage(withVocabulary(tables, recipe, choice.words.tokenizer), name);
  const timed = own.slice(WARM_UP);
  const wall = timed.map(({ time }, i) => time - own[WARM_UP + i - 1]!.time);
  const engine = timed.at(-1)!.values["time/engine"]!;
  const done = timed.reduce((sum, line) => sum + (flops[kindOf(line, losses)] ?? 0), 0);
  const total = wall.reduce((a, b) => a + b, 0);
  return {
    stepsPerSecond: timed.length / total,
    batchSize: recipe.stages[name]!.batchSize,
    flops: done / (total * engine),
  };
}

/** The kind of a step's batch: all of its losses are in the line, and no other kind's losses that are more. */
function kindOf({ values }: MetricsLine, losses: Readonly<Record<string, readonly string[]>>): string {
  const fitting = Object.entries(losses).filter(([, names]) => names.every((loss) => typeof values[loss] === "number"));
  return fitting.toSorted(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? "";
}

/** The last stage alone, so many steps, a line of the log each, nothing measured or saved between, from random weights. */
async function shortened(path: string, { runDir, stage, steps, words, threads }: Choice): Promise<Recipe> {
  const nothing = ["evaluation.validation={}", "evaluation.test={}", "evaluation.texts=[]", "evaluation.labelled=null"];
  const set = [
    ...nothing,
    ...[`runDir=${runDir}`, `vocabulary={kind: file, path: ${words.path}}`, ...(threads ? [`threads=${threads}`] : [])],
    ...[`steps=${WARM_UP + steps}`, "every={log: 1, eval: 0, save: 0}", "best=null", "schedule.warmupSteps=0"].map(
      (assignment) => `stages.${stage}.${assignment}`,
    ),
    ...(stage === "joint" ? ["stages.codebook.steps=1", "stages.codebook.schedule.warmupSteps=0"] : []),
  ];
  return (await resolveRecipe(path, { set })).recipe;
}
