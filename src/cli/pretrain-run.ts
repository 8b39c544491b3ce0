/** What `flava pretrain` loads when it trains: the named data sets that the recipe reads, the run, and its final numbers. */
import { join } from "node:path";
import { type DataSpec, fetchData } from "../datasets/index.ts";
import { statOf } from "../io/index.ts";
import type { Recipe, StageMeasure } from "../pretrain/recipe/index.ts";
import { estimateSeconds, layerSpeed } from "../pretrain/run/estimate.ts";
import { largestFit, memoryFor } from "../pretrain/run/fit.ts";
import { followRun } from "../pretrain/run/follow.ts";
import { measureStage } from "../pretrain/run/measure.ts";
import { type Preview, previewRun } from "../pretrain/run/preview.ts";
import { pretrain } from "../pretrain/run/run.ts";
import { planOf, tables } from "../pretrain/tables.ts";
import { findCheckpoints, RECIPE_FILE } from "../record/index.ts";
import { openDevice } from "../runtime/index.ts";
import { Cancelled, type Io } from "./command.ts";
import { withProgress } from "./data-fetch.ts";
import { type Job, openJob, withJob } from "./job.ts";
import type { PretrainRequest } from "./pretrain.ts";
import { consoleReporter } from "./run-reporter.ts";

export const preview = (recipe: Recipe, io: Io): Promise<Preview> =>
  previewRun(recipe, { signal: io.signal, note: (line) => io.note(line) });

/** What a stage will need; with the time that it takes, where the device is here. */
export async function measure(recipe: Recipe, name: string, workers = 1): Promise<StageMeasure> {
  const measured = await measureStage(recipe, name, tables, workers);
  const here = await hereIs(recipe);
  if (here === undefined) return measured;
  const stage = recipe.stages[name]!;
  const { memory: available } = here;
  const fit = available === undefined ? undefined : await largestFit(recipe, name, { available, measured, workers });
  return { ...measured, fit, seconds: estimateSeconds(stage, planOf(tables, recipe, stage), measured, here.speed) };
}

/** What a device has and does. */
interface Here {
  /** Bytes that a step may take, where that is known. */
  readonly memory: number | undefined;
  /** Operations a second. */
  readonly speed: number;
}

const known = new Map<string, Promise<Here | undefined>>();

/** Measured once for a device; undefined where there is none. */
function hereIs({ device: name, threads }: Recipe): Promise<Here | undefined> {
  const key = `${name} ${threads}`;
  const look = async (): Promise<Here> => {
    const device = await openDevice(name, threads ? { threads } : {});
    return { memory: memoryFor(device), speed: await layerSpeed(device) };
  };
  const here = known.get(key) ?? look().catch(() => undefined);
  known.set(key, here);
  return here;
}

/** Trains and prints the results as `name: value` lines. A run stopped by a signal says what is saved, and how to resume it. */
export async function run(request: PretrainRequest, io: Io): Promise<void> {
  const job = await openJob(request, io);
  const stop = await withJob(job, io, () =>
    job.cluster.rank === 0 ? lead(request, job, io) : follow(request, job, io),
  );
  if (stop) throw stop;
}

/** The run, as the worker that writes it; resolves to what it was stopped by. */
async function lead(request: PretrainRequest, job: Job, io: Io): Promise<Cancelled | undefined> {
  await fetchAll(request.recipe, job, io);
  const threads = request.recipe.threads || job.threads;
  const options = { reporter: consoleReporter(io), signal: io.signal, cluster: job.cluster, threads };
  const ended = await pretrain(request, options).catch(async (error) => {
    throw io.signal.aborted ? await stopped(request, io.signal.reason as Cancelled) : error;
  });
  if (ended.status === "stopped" && io.signal.aborted) return stopped(request, io.signal.reason as Cancelled);
  const { results } = ended;
  const lines = Object.entries(results).map(([name, value]) => `${name}: ${Number(value.toPrecision(4))}`);
  if (lines.length > 0) io.result(lines.join("\n"), results);
  return undefined;
}

/** The run, as one of the workers that follow. */
async function follow(request: PretrainRequest, job: Job, io: Io): Promise<Cancelled | undefined> {
  const { cluster } = job;
  await fetchAll(request.recipe, job, io);
  await followRun(request, { signal: io.signal, cluster, threads: request.recipe.threads || job.threads });
  return io.signal.aborted ? (io.signal.reason as Cancelled) : undefined;
}

/** Fetches the recipe's named data sets: the first worker before the others, which then find them, or on another machine fetch their own. */
async function fetchAll(recipe: Recipe, { cluster }: Job, io: Io): Promise<void> {
  if (cluster.rank > 0) await cluster.barrier();
  for (const spec of specsOf(recipe))
    await withProgress(io, (onProgress) => fetchData(spec, { signal: io.signal, onProgress }));
  if (cluster.rank === 0) await cluster.barrier();
}

/** Where the run stands on disk. */
async function stopped({ recipe, command }: PretrainRequest, { signal }: Cancelled): Promise<Cancelled> {
  const { runDir } = recipe;
  if (!(await statOf(join(runDir, RECIPE_FILE)))) return new Cancelled(signal);
  let saved = "nothing saved yet";
  for (const stage of Object.keys(recipe.stages)) {
    const last = (await findCheckpoints(join(runDir, stage))).at(-1);
    if (last) saved = `saved at step ${last.step} of ${stage}`;
  }
  return new Cancelled(signal, `cancelled: ${saved}, go on with: ${command} --resume latest`);
}

/** Every source that the recipe names. */
export function specsOf({ data, evaluation }: Recipe): (string | DataSpec)[] {
  const { validation, test, texts, labelled } = evaluation;
  const training = [data.pairs, data.images, data.texts].flat().map(({ source }) => source);
  return [
    ...training,
    ...Object.values(validation),
    ...Object.values(test),
    ...texts,
    ...Object.values(labelled ?? {}),
  ];
}
