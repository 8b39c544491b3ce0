/** `flava pretrain RECIPE --seeds 0,1,2`: a run for each seed, one after another, and their results side by side. */
import { join } from "node:path";
import { launchOf } from "../cluster/index.ts";
import { ConfigError } from "../errors.ts";
import { statOf } from "../io/index.ts";
import { findRunInfo, RECIPE_FILE } from "../record/index.ts";
import { compareRuns, comparisonTable } from "../report/index.ts";
import { Cancelled, type Io } from "./command.ts";
import type { Pretraining, PretrainOptions, PretrainRequest } from "./pretrain.ts";

/** The seeds of `0,1,2`. Throws ConfigError. */
export function seedsOf(list: string): string[] {
  const seeds = list.split(",").map((seed) => seed.trim());
  if (!seeds.every((seed) => /^\d{1,15}$/.test(seed)) || new Set(seeds).size < seeds.length)
    throw new ConfigError(`--seeds ${list}: expected different whole numbers with commas between them, as 0,1,2`);
  return seeds;
}

const SAME = "the same command goes on where this stopped";

/**
 * Runs them in turn. What is done already is left as it is, and what was stopped goes on: the same command finishes a series. Where
 * the recipe's runDir has no `{seed}`, folders are called `<runDir>-seed-<seed>`.
 */
export async function runSeeds(
  io: Io,
  list: string,
  options: PretrainOptions,
  {
    load,
    request,
  }: { load: () => Promise<Pretraining>; request: (options: PretrainOptions) => Promise<PretrainRequest> },
): Promise<void> {
  const seeds = seedsOf(list);
  if ((launchOf(process.env)?.size ?? 1) > 1)
    throw new ConfigError(
      "--seeds: expected one process, got a job of several",
      "start a job for each seed, with --seed",
    );
  if (options.stage !== undefined || options.resume !== undefined || options.seed !== undefined)
    throw new ConfigError("--seeds: expected neither --stage, --resume nor --seed beside it", "it resumes by itself");
  const plain = await Promise.all(seeds.map((seed) => request({ ...options, seed })));
  const apart = new Set(plain.map(({ recipe }) => recipe.runDir)).size === seeds.length;
  const folders: string[] = [];
  const { run } = await load();
  for (const [i, seed] of seeds.entries()) {
    const { runDir } = plain[i]!.recipe;
    const folder = apart ? runDir : `${runDir}-seed-${seed}`;
    folders.push(folder);
    const status = (await findRunInfo(folder))?.status;
    io.note(`seed ${seed}: ${folder}${status === "done" ? ", done already" : status ? ", goes on" : ""}`);
    if (status === "done") continue;
    const begun = (await statOf(join(folder, RECIPE_FILE))) !== undefined;
    const asked = await request({ ...options, seed, runDir: folder, ...(begun && { resume: "latest" }) });
    await run(asked, { ...io, result: () => undefined }).catch((error) => {
      throw error instanceof Cancelled ? new Cancelled(error.signal, `cancelled in seed ${seed}: ${SAME}`) : error;
    });
  }
  const comparison = await compareRuns(folders);
  io.result(comparisonTable(comparison), comparison);
}
