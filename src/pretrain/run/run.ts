/** A run: the stages of a recipe in turn, in a folder that holds all there is to know of it, and that it can go on from. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { badList } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { checkResumable, type Json, tidyFolder } from "../../record/checkpoint/index.ts";
import { openRunLog, type RunLog, type RunReporter, silentReporter } from "../../record/logs/index.ts";
import {
  environment,
  loadRunInfo,
  RECIPE_FILE,
  type RunInfo,
  refuseOldRun,
  saveRecipe,
  saveRunInfo,
  writeCard,
  writeReport,
} from "../../report/index.ts";
import { type Device, openDevice } from "../../runtime/index.ts";
import { checkPlaces, type Recipe } from "../recipe/index.ts";
import {
  checkTokenizer,
  createSources,
  runTokenizer,
  TOKENIZER_FILE,
  tokenizerHash,
  withVocabulary,
} from "./inputs.ts";
import { createLooks, heldOut } from "./looks.ts";
import { architectureOf, type Resumed, type RunContext, type StageOutcome } from "./run-context.ts";
import { runStage } from "./run-stage.ts";
import { dropAhead, findStart, type Start } from "./start.ts";

export interface RunRequest {
  readonly recipe: Recipe;
  /** Only this stage; its predecessors must have been run in the same folder. */
  readonly stage?: string | undefined;
  /** `latest`, or the path of a checkpoint. */
  readonly resume?: string | undefined;
  /** What was typed, or what would do the same. */
  readonly command: string;
}

export interface RunOptions {
  readonly reporter?: RunReporter | undefined;
  /** When it fires, the step at hand is finished and saved, and the run's status is "stopped". */
  readonly signal?: AbortSignal | undefined;
}

/** What samples were left out, and why: JSON Lines. */
const BAD_FILE = "bad-samples.jsonl";

/**
 * Runs a recipe and resolves to what run.json says of it. Throws ConfigError before any work (a wrong recipe, a folder that
 * holds a run, a checkpoint of another recipe), NonFiniteError, DataError, CheckpointError (a full disk) during it; what was
 * saved before stays as it is.
 */
export async function pretrain(
  request: RunRequest,
  { reporter = silentReporter, signal }: RunOptions = {},
): Promise<RunInfo> {
  const { recipe } = request;
  const { runDir } = recipe;
  await checkPlaces(recipe, signal);
  const fresh = await isFresh(request);
  const device = await openDevice(recipe.device, recipe.threads ? { threads: recipe.threads } : {});
  await mkdir(runDir, { recursive: true });
  for (const name of Object.keys(recipe.stages)) await tidyFolder(join(runDir, name));
  const bad = badList(join(runDir, BAD_FILE));
  try {
    const { context, start } = await prepare(request, device, { reporter, signal, onBad: bad.onBad, fresh });
    await using log = context.log;
    const begun = await openInfo(request, device, fresh);
    const info = { ...begun, tokenizer: tokenizerHash(context.tokenizer) };
    const done = await runStages({ ...context, log }, start, info, request);
    if (bad.count > 0) reporter.note(`${bad.count} samples were left out: ${join(runDir, BAD_FILE)}`);
    await log.flush();
    return await finish(runDir, done, reporter);
  } finally {
    await bad.close();
  }
}

/** Whether the folder begins anew. A new run into an old one's folder is refused, unless it adds a stage to it. */
async function isFresh({ recipe: { runDir }, stage, resume }: RunRequest): Promise<boolean> {
  const exists = await stat(join(runDir, RECIPE_FILE)).then(
    () => true,
    () => false,
  );
  if (resume !== undefined && !exists)
    throw new ConfigError(
      `--resume ${resume}: expected a run in ${runDir}, got none`,
      "start without --resume, or name the run's folder with --run-dir",
    );
  if (resume === undefined && stage === undefined) await refuseOldRun(runDir);
  return !exists;
}

interface Preparing {
  readonly reporter: RunReporter;
  readonly signal: AbortSignal | undefined;
  readonly onBad: RunContext["onBad"];
  readonly fresh: boolean;
}

/** Everything that the stages share, checked against what the folder holds already. */
async function prepare(
  request: RunRequest,
  device: Device,
  { reporter, signal, onBad, fresh }: Preparing,
): Promise<{ context: RunContext; start: Start }> {
  const { runDir } = request.recipe;
  const sources = createSources(request.recipe, signal);
  const note = (line: string): void => reporter.note(line);
  const start = await findStart(request.recipe, request, note);
  const tokenizer = await runTokenizer(request.recipe, sources, join(runDir, TOKENIZER_FILE), { signal, note });
  await checkTokenizer(runDir, tokenizer);
  const recipe = withVocabulary(request.recipe, tokenizer);
  if (start.resumed) checkResume(recipe, start.resumed);
  if (request.resume !== "latest") await dropAhead(runDir, start, note);
  if (fresh) await saveRecipe(runDir, request.recipe);
  const names = Object.keys(recipe.stages);
  const log: RunLog = await openRunLog(runDir, { stages: names, resumeAt: start.after });
  const { flava, node, engine } = await environment(device.description, recipe.threads);
  const versions = { flava, node, engine };
  return { context: { recipe, runDir, device, sources, tokenizer, log, reporter, versions, signal, onBad }, start };
}

function checkResume(recipe: Recipe, { path, state }: Resumed): void {
  checkResumable(path, state, { recipe: recipe as unknown as Json, architecture: architectureOf(recipe) });
}

async function openInfo({ recipe, command }: RunRequest, device: Device, fresh: boolean): Promise<RunInfo> {
  const old = fresh ? undefined : await loadRunInfo(recipe.runDir).catch(() => undefined);
  return {
    name: recipe.name,
    startedAt: new Date().toISOString(),
    command,
    stages: {},
    results: {},
    ...old,
    status: "running",
    finishedAt: undefined,
    environment: await environment(device.description, recipe.threads),
  };
}

/** The stages from the start on. run.json is true at every moment: running, stopped, failed or done. */
async function runStages(context: RunContext, start: Start, first: RunInfo, request: RunRequest): Promise<RunInfo> {
  const { recipe, runDir, signal } = context;
  let info = first;
  const save = async (next: RunInfo): Promise<void> => {
    info = { ...next, peakMemoryBytes: peakMemory(info) };
    await saveRunInfo(runDir, info);
  };
  await save(info);
  const sets = heldOut(context);
  try {
    for (const name of start.stages) {
      const looks = createLooks(context, sets, {
        last: name === Object.keys(recipe.stages).at(-1),
        results: (found) => save({ ...info, results: { ...info.results, ...found } }),
        begun: ({ chance, parameters }) =>
          save({ ...info, stages: { ...info.stages, [name]: stageInfo(info, recipe, name, { chance, parameters }) } }),
      });
      const outcome = await runStage(context, name, looks, name === start.stages[0] ? start.resumed : undefined);
      await save({ ...info, stages: { ...info.stages, [name]: withOutcome(info, name, outcome) } });
      if (outcome.ending === "stopped" || signal?.aborted) {
        await save({ ...info, status: "stopped", finishedAt: new Date().toISOString() });
        return info;
      }
    }
    const all = request.stage === undefined || Object.keys(info.stages).length === Object.keys(recipe.stages).length;
    await save({ ...info, status: all ? "done" : "stopped", finishedAt: new Date().toISOString() });
    return info;
  } catch (error) {
    const status = signal?.aborted ? "stopped" : "failed";
    await save({ ...info, status, finishedAt: new Date().toISOString() }).catch(() => undefined);
    throw error;
  }
}

type Begun = Pick<RunInfo["stages"][string], "chance" | "parameters">;

function stageInfo(info: RunInfo, recipe: Recipe, name: string, begun: Begun): RunInfo["stages"][string] {
  const { kind, steps } = recipe.stages[name]!;
  return { done: 0, seconds: 0, samples: 0, ...info.stages[name], kind, steps, ...begun };
}

function withOutcome(
  info: RunInfo,
  name: string,
  { step, samples, times, chance }: StageOutcome,
): RunInfo["stages"][string] {
  const old = info.stages[name]!;
  const { total, ...parts } = times;
  const summed = Object.entries(parts).map(([what, t]) => [what, t + (old.times?.[what] ?? 0)]);
  return { ...old, chance, done: step, samples, seconds: old.seconds + total, times: Object.fromEntries(summed) };
}

/** The most that any process of the run has had. */
const peakMemory = ({ peakMemoryBytes = 0 }: RunInfo): number =>
  Math.max(peakMemoryBytes, process.resourceUsage().maxRSS * 1024);

async function finish(runDir: string, info: RunInfo, reporter: RunReporter): Promise<RunInfo> {
  await writeCard(runDir);
  reporter.note(`report: ${await writeReport(runDir)}`);
  return info;
}
