/** A run: the stages of a recipe one after another, in a folder that records everything about it and from which it can be resumed. */
import { join } from "node:path";
import { type Cluster, oneWorker } from "../../cluster/index.ts";
import { type BadList, badList } from "../../data/index.ts";
import { ConfigError, settled } from "../../errors.ts";
import { lockFolder, makeFolder, statOf } from "../../io/index.ts";
import {
  environment,
  findRunInfo,
  GALLERY_FOLDER,
  openRunLog,
  openRunRecord,
  RECIPE_FILE,
  type RunInfo,
  type RunLog,
  type RunRecord,
  refuseOldRun,
  type StageProgress,
  saveRecipe,
  tidyFolder,
} from "../../record/index.ts";
import { writeCard, writeReport } from "../../report/index.ts";
import { type Device, openDevice } from "../../runtime/index.ts";
import { describeCoverage, tokenizerHash } from "../../text/index.ts";
import { checkPlaces, loadRecipe, type Recipe } from "../recipe/index.ts";
import type { HeldOut } from "../stages/stage.ts";
import { kindOf, tables as own, type Tables, withVocabulary } from "../tables.ts";
import type { RunContext, StageOutcome, StageRun } from "./context.ts";
import { drawStage } from "./draw.ts";
import { evaluatorsOf, finalNumbers } from "./evaluation.ts";
import { exportModel } from "./export.ts";
import { heldOut } from "./held-out.ts";
import { changesOf, checkRecipes, openHistory } from "./history.ts";
import { checkTokenizer, createSources, runTokenizer, TOKENIZER_FILE } from "./inputs.ts";
import { type RunReporter, silentReporter } from "./reporter.ts";
import { runStage, type StageHooks } from "./run-stage.ts";
import { dropAhead, findStart, type Start } from "./start.ts";
import { wordCoverage } from "./word-coverage.ts";
import { agreement, checkAlike, factsOf, tell } from "./workers.ts";

/** Which recipe to run, and from where. */
export interface RunRequest {
  readonly recipe: Recipe;
  /** Only this stage; its predecessors must have been run in the same folder. */
  readonly stage?: string | undefined;
  /** `latest`, or the path of a checkpoint. */
  readonly resume?: string | undefined;
  /** What was typed, or what would do the same. */
  readonly command: string;
}

/** How a run reports, is stopped, and resolves names. */
export interface RunOptions {
  readonly reporter?: RunReporter | undefined;
  /** When it fires, the current step is finished and saved, and the run's status is "stopped". */
  readonly signal?: AbortSignal | undefined;
  /** What the recipe's names stand for: the package's own families and kinds of stages unless given. */
  readonly tables?: Tables | undefined;
  /** The workers that train together, of which this is the first (the others: `followRun`); this one alone unless given. */
  readonly cluster?: Cluster | undefined;
  /** Threads of the device, instead of the recipe's number: workers share the processors of their machine. */
  readonly threads?: number | undefined;
}

/** What samples were left out, and why: JSON Lines. */
const BAD_FILE = "bad-samples.jsonl";

/**
 * Runs a recipe and resolves to what run.json says of it. Throws ConfigError before any work (a wrong recipe, a folder that
 * holds a run, a checkpoint of another recipe), NonFiniteError, DataError, FileError (a full disk) during it; what was
 * saved before stays as it is.
 */
export async function pretrain(
  request: RunRequest,
  { reporter = silentReporter, signal, tables = own, cluster = oneWorker(), ...options }: RunOptions = {},
): Promise<RunInfo> {
  const { recipe } = request;
  const { runDir } = recipe;
  await checkPlaces(recipe, signal);
  const fresh = await isFresh(request, tables);
  const threads = options.threads ?? recipe.threads;
  const device = await openDevice(recipe.device, threads ? { threads } : {});
  if (device.remark) reporter.note(device.remark);
  if (cluster.size > 1) await checkAlike(cluster, await factsOf(recipe, device, cluster));
  await makeFolder(runDir);
  await using _lock = await lockFolder(runDir);
  for (const name of ["", GALLERY_FOLDER, ...Object.keys(recipe.stages)]) await tidyFolder(join(runDir, name));
  const bad = badList(join(runDir, BAD_FILE));
  try {
    const prepared = await prepare(request, device, { reporter, signal, tables, onBad: bad.onBad, fresh });
    await using log = prepared.context.log;
    const record = await openRecord(request, prepared);
    await countUnknownWords(prepared.context, record);
    const agreed = agreement(cluster, signal, bad.onBad);
    const together = { cluster, meet: agreed.meet, signal: agreed.signal };
    const onChanged = await openHistory(record, request, prepared);
    const context: RunContext = { ...prepared.context, ...together, log, onChanged };
    await tell(cluster, { ...prepared.start, tokenizer: context.tokenizer.json });
    const done = await runStages(context, prepared.start, record, request);
    await agreed.meet(); // what the last evaluations of other workers have left out
    sayBad(bad, join(runDir, BAD_FILE), (line) => reporter.note(line));
    await log.flush();
    return await finish(runDir, done, reporter);
  } finally {
    await bad.close();
  }
}

function sayBad({ count, notes }: BadList, path: string, note: (line: string) => void): void {
  const remarks = [...notes.values()].reduce((sum, n) => sum + n, 0);
  if (count > 0) note(`${count.toLocaleString("en-US")} samples were left out: ${path}`);
  if (remarks > 0) note(`${remarks.toLocaleString("en-US")} remarks on samples that were used: ${path}`);
}

/**
 * Whether the folder begins anew. A new run into an old one's folder is refused, unless it adds a stage to it; so is a folder whose
 * recipe.json or run.json is damaged, before any work.
 */
async function isFresh({ recipe: { runDir }, stage, resume }: RunRequest, tables: Tables): Promise<boolean> {
  const exists = (await statOf(join(runDir, RECIPE_FILE))) !== undefined;
  if (resume !== undefined && !exists)
    throw new ConfigError(
      `--resume ${resume}: expected a run in ${runDir}, got none`,
      "start without --resume, or name the run's folder with --run-dir",
    );
  if (resume === undefined && stage === undefined) await refuseOldRun(runDir);
  if (exists) await loadRecipe(runDir, tables);
  await findRunInfo(runDir);
  return !exists;
}

interface Preparing {
  readonly reporter: RunReporter;
  readonly signal: AbortSignal | undefined;
  readonly tables: Tables;
  readonly onBad: RunContext["onBad"];
  readonly fresh: boolean;
}

interface Prepared {
  readonly context: Omit<RunContext, "onChanged" | "cluster" | "meet">;
  readonly start: Start;
  /** How the recipe differs from the one in the folder: a line for each change. */
  readonly changes: readonly string[];
}

/** Everything that the stages share, checked against what the folder holds already. */
async function prepare(request: RunRequest, device: Device, { fresh, ...given }: Preparing): Promise<Prepared> {
  const { runDir } = request.recipe;
  const { reporter, signal, tables } = given;
  const note = (line: string): void => reporter.note(line);
  const sources = createSources(request.recipe, signal, note);
  const start = await findStart(request.recipe, request, note);
  const tokenizer = await runTokenizer(request.recipe, sources, join(runDir, TOKENIZER_FILE), { signal, note });
  await checkTokenizer(runDir, tokenizer);
  const recipe = withVocabulary(tables, request.recipe, tokenizer);
  const saved = fresh ? undefined : await loadRecipe(runDir, tables);
  checkRecipes(recipe, request.recipe, start, saved);
  await dropAhead(request.recipe, start, { resume: request.resume, note });
  const changes = saved ? changesOf(saved, request.recipe) : [];
  for (const line of changes.filter((change) => !change.startsWith("mayChange:")))
    note(`the recipe has changed: ${line}`);
  if (fresh || changes.length > 0) await saveRecipe(runDir, request.recipe);
  const log: RunLog = await openRunLog(runDir, { running: start.stages, resumedAt: start.resumed?.step });
  if (log.removed > 0) note(`metrics.jsonl: ${log.removed} lines removed, the run trains their steps again`);
  const { flava, node, engine } = await environment(device.description, recipe.threads);
  const versions = { flava, node, engine };
  return { context: { ...given, recipe, runDir, device, sources, tokenizer, log, versions }, start, changes };
}

async function openRecord({ recipe, command }: RunRequest, { context }: Prepared): Promise<RunRecord> {
  return openRunRecord(recipe.runDir, {
    name: recipe.name,
    startedAt: new Date().toISOString(),
    command,
    stages: {},
    results: {},
    ...(await findRunInfo(recipe.runDir)),
    status: "running",
    finishedAt: undefined,
    environment: await environment(context.device.description, recipe.threads),
    tokenizer: await tokenizerHash(context.tokenizer.json),
  });
}

/** Once a run: which words of its texts the model will not see. */
async function countUnknownWords(context: Prepared["context"], record: RunRecord): Promise<void> {
  if (record.info.coverage !== undefined) return;
  const { recipe, sources, tokenizer, reporter, signal } = context;
  const coverage = await wordCoverage(recipe, sources, tokenizer, signal);
  await record.update({ coverage });
  for (const [set, found] of Object.entries(coverage))
    if (found.unknown > 0) reporter.note(`unknown words: ${set}: ${describeCoverage(found)}`);
}

/** The stages from the start on. run.json always says how things stand: running, stopped, failed or done. */
async function runStages(context: RunContext, start: Start, record: RunRecord, request: RunRequest): Promise<RunInfo> {
  const { recipe, signal } = context;
  const end = async (status: RunInfo["status"]): Promise<RunInfo> => {
    await record.update({ status, finishedAt: new Date().toISOString() });
    return record.info;
  };
  const held = heldOut(context);
  if (!hasPairs(recipe)) context.reporter.note("no pictures will be drawn: the recipe has no validation pairs");
  try {
    for (const name of start.stages) {
      const resumed = name === start.stages[0] ? start.resumed : undefined;
      const outcome = await runStage(context, name, hooksOf(context, held, record, name), resumed);
      await record.advance(name, progressOf(outcome), outcome.chance);
      if (outcome.ending === "stopped" || signal?.aborted) return await end("stopped");
    }
    const all = Object.keys(record.info.stages).length === Object.keys(recipe.stages).length;
    return await end(request.stage === undefined || all ? "done" : "stopped");
  } catch (error) {
    await settled(end(signal?.aborted ? "stopped" : "failed")); // the first error is the one to report
    throw error;
  }
}

/** What a run does with a stage's model: evaluation during training; afterwards the export, the final numbers and the pictures. */
function hooksOf(context: RunContext, held: HeldOut, record: RunRecord, name: string): StageHooks {
  const { stages } = context.recipe;
  const { kind, steps } = stages[name]!;
  return {
    evaluators: (run) => evaluatorsOf(context, held, run),
    begun: ({ chance, parameters }) => record.begin(name, { kind, steps, chance, parameters }),
    saved: (progress) => record.advance(name, progress),
    async finished(run) {
      if (name === Object.keys(stages).at(-1)) {
        await exportModel(context, run);
        const { results, chance } = await finalNumbers(context, held, run);
        const { info } = record;
        await record.update({ results: { ...info.results, ...results }, chance: { ...info.chance, ...chance } });
      }
      await draw(context, held, run);
    },
  };
}

/** A run does not fail because of its pictures; it reports that they are missing. */
async function draw(context: RunContext, held: HeldOut, run: StageRun): Promise<void> {
  const { reporter, recipe, tables } = context;
  if (!hasPairs(recipe) || !kindOf(tables, run.stage).pictures) return;
  reporter.note(`${run.name}: drawing pictures…`);
  const lines = await drawStage(context, held, run).catch((error: Error) => [`no pictures: ${error.message}`]);
  for (const line of lines) reporter.note(`${run.name}: ${line}`);
}

const hasPairs = ({ evaluation }: Recipe): boolean => Object.keys(evaluation.validation).length > 0;

const progressOf = ({ step, samples, times: { total, ...times } }: StageOutcome): StageProgress => ({
  done: step,
  samples,
  seconds: total,
  times,
});

async function finish(runDir: string, info: RunInfo, reporter: RunReporter): Promise<RunInfo> {
  await writeCard(runDir);
  reporter.note(`report: ${await writeReport(runDir)}`);
  return info;
}
