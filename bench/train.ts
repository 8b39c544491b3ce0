/**
 * The stages of a recipe on their own data, some steps each: updates and samples a second of each kind of batch, and of the
 * joint stage which part of the wall time is spent in the engine and which waiting for data.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Recipe, resolveRecipe } from "../src/pretrain/recipe/index.ts";
import { pretrain } from "../src/pretrain/run/run.ts";
import { loadMetrics, type MetricsLine } from "../src/record/index.ts";
import { figure, median, say } from "./measure.ts";

/** The first steps of a stage fill caches and arenas. */
const WARM_UP = 8;

/** Prints `<stage>_<kind>_steps_per_s` and `_samples_per_s`, `joint_engine_share`, `joint_data_wait_share`, `train_peak_gib`. */
export async function train(steps: number, [path = "recipes/starter.yaml"]: readonly string[]): Promise<void> {
  const runDir = await mkdtemp(join(tmpdir(), "flava-bench-"));
  try {
    const recipe = await shortened(path, join(runDir, "run"), steps);
    const reporter = { note: say, begin: () => undefined, step: () => undefined, end: () => undefined };
    const info = await pretrain({ recipe, command: "npm run bench train" }, { reporter });
    const { lines } = await loadMetrics(recipe.runDir);
    for (const name of Object.keys(recipe.stages)) rates(recipe, name, lines);
    for (const [name, { times = {}, seconds }] of Object.entries(info.stages)) {
      if (recipe.stages[name]!.kind !== "joint") continue;
      figure(`${name}_engine_share`, times.engine! / seconds);
      figure(`${name}_data_wait_share`, times.data! / seconds);
    }
    figure("train_peak_gib", (info.peakMemoryBytes ?? Number.NaN) / 2 ** 30, 2);
  } finally {
    await rm(runDir, { recursive: true });
  }
}

/** The recipe with so many steps a stage, a line of the log each, and nothing measured or saved between. */
async function shortened(path: string, runDir: string, steps: number): Promise<Recipe> {
  const { recipe } = await resolveRecipe(path);
  const nothing = ["evaluation.validation={}", "evaluation.test={}", "evaluation.texts=[]", "evaluation.labelled=null"];
  const stages = Object.keys(recipe.stages).flatMap((name) =>
    [`steps=${WARM_UP + steps}`, "every={log: 1, eval: 0, save: 0}", "best=null", "schedule.warmupSteps=0"].map(
      (assignment) => `stages.${name}.${assignment}`,
    ),
  );
  return (await resolveRecipe(path, { set: [`runDir=${runDir}`, ...nothing, ...stages] })).recipe;
}

/** What tells the kind of a step: the loss that only this kind has. */
const KINDS = { pair: ["global_contrastive", "itm"], image: ["mim"], text: ["mlm"], dvae: ["dvae"], dino: ["dino"] };

function rates(recipe: Recipe, name: string, all: readonly MetricsLine[]): void {
  const lines = all.filter(({ stage }) => stage === name);
  const seconds: Record<string, number[]> = {};
  const samples: Record<string, number> = {};
  for (let i = WARM_UP; i < lines.length; i++) {
    const { time, values } = lines[i]!;
    const kind = Object.entries(KINDS).find(([, losses]) =>
      losses.some((loss) => typeof values[loss] === "number"),
    )?.[0];
    if (kind === undefined) continue;
    seconds[kind] = [...(seconds[kind] ?? []), time - lines[i - 1]!.time];
    samples[kind] = values.samples! - lines[i - 1]!.values.samples!;
  }
  for (const [kind, times] of Object.entries(seconds)) {
    figure(`${name}_${kind}_steps_per_s`, 1 / median(times));
    figure(`${name}_${kind}_samples_per_s`, samples[kind]! / median(times), 0);
  }
  if (Object.keys(seconds).length === 0) say(`${name} (${recipe.stages[name]!.kind}): no step was timed`);
}
