/** A fine-tuning: training in a folder that it can be resumed from, and at its end the best model and its figures. */
import { join } from "node:path";
import { type BadSample, badList, pixelCache, type Source } from "../data/index.ts";
import { settled } from "../errors.ts";
import { type JsonObject, lockFolder, makeFolder } from "../io/index.ts";
import {
  environment,
  GALLERY_FOLDER,
  openRunLog,
  openRunRecord,
  type RunInfo,
  type RunRecord,
  saveGallerySection,
  saveRecipe,
  tidyFolder,
} from "../record/index.ts";
import { writeReport } from "../report/index.ts";
import { State } from "../runtime/index.ts";
import { createUpdater, declaredState, traceSteps } from "../train/index.ts";
import { firstValues, tunedImage } from "./base.ts";
import { findResumed, type Resumed, restore, takeBest } from "./checkpoints.ts";
import { confusionSection } from "./confusion.ts";
import type { LabelledSamples } from "./data.ts";
import {
  checkBest,
  chosenBy,
  type Figures,
  figureIntervals,
  figures,
  guessFigures,
  type Intervals,
  type Outputs,
} from "./figures.ts";
import { type LoopOutcome, runLoop } from "./loop.ts";
import { createMeasurer } from "./measure.ts";
import { trainingOptions, tuningPlan } from "./plan.ts";
import {
  type Running,
  STAGE,
  type TuningOptions,
  type TuningReporter,
  type TuningRequest,
  type TuningResult,
} from "./request.ts";
import { saveTuned } from "./save.ts";
import { tunableOf } from "./tunable.ts";

const silent: TuningReporter = {
  note: () => undefined,
  begin: () => undefined,
  step: () => undefined,
  end: () => undefined,
};

/**
 * Fine-tunes. A run that is done is not trained again: its figures are read. Throws ConfigError for a folder that holds another run,
 * NonFiniteError, DataError, FileError.
 */
export async function finetune(request: TuningRequest, options: TuningOptions = {}): Promise<TuningResult> {
  const { out } = request;
  const reporter = options.reporter ?? silent;
  checkBest(request.best, request.data.problem);
  await makeFolder(out);
  await using _lock = await lockFolder(out);
  for (const folder of [out, join(out, STAGE), join(out, GALLERY_FOLDER)]) await tidyFolder(folder);
  const recipe = recipeOf(request);
  const { resumed, info } = await findResumed(request, recipe, reporter.note);
  if (info?.status === "done") return known(request, info, reporter);
  if (!resumed) await saveRecipe(out, recipe);
  const bad = badList(join(out, "bad-samples.jsonl"));
  const onBad = (sample: BadSample): void => {
    bad.onBad(sample);
    options.onBad?.(sample);
  };
  try {
    await using log = await openRunLog(out, { running: [STAGE], resumedAt: resumed?.step });
    const record = await openRecord(request, info);
    const result = await recorded(record, options.signal, () =>
      tune({ ...request, reporter, signal: options.signal, log, record, onBad, recipe }, resumed),
    );
    if (bad.count > 0)
      reporter.note(
        `${bad.count} ${bad.count === 1 ? "sample was" : "samples were"} left out of training, validation or test: ${join(out, "bad-samples.jsonl")}`,
      );
    await log.flush();
    reporter.note(`report: ${await writeReport(out)}`);
    return result;
  } finally {
    await bad.close();
  }
}

/** The run as recipe.json has it: what decides its numbers. */
const recipeOf = ({ about, data, settings, seed, best, base }: TuningRequest): JsonObject =>
  JSON.parse(
    JSON.stringify({
      kind: STAGE,
      about,
      problem: data.problem,
      samples: { train: contentOf(data.train), validation: contentOf(data.validation) },
      best: best ?? chosenBy(data.problem),
      random: base.random ?? false,
      settings,
      seed,
    }),
  ) as JsonObject;

const contentOf = ({ count, content }: LabelledSamples): JsonObject => ({ count, content });

async function openRecord({ name, command, out, base }: TuningRequest, info: RunInfo | undefined): Promise<RunRecord> {
  return openRunRecord(out, {
    name,
    command,
    startedAt: new Date().toISOString(),
    stages: {},
    results: {},
    ...info,
    status: "running",
    finishedAt: undefined,
    environment: await environment(base.loaded.device.description, 0),
  });
}

/** run.json always says how things stand. */
async function recorded(
  record: RunRecord,
  signal: AbortSignal | undefined,
  work: () => Promise<TuningResult>,
): Promise<TuningResult> {
  const end = (status: RunInfo["status"]): Promise<void> =>
    record.update({ status, finishedAt: new Date().toISOString() });
  try {
    const result = await work();
    await end(result.status);
    return result;
  } catch (error) {
    await settled(end(signal?.aborted ? "stopped" : "failed"));
    throw error;
  }
}

async function tune(run: Running, resumed: Resumed | undefined): Promise<TuningResult> {
  const { base, data, settings, seed, reporter, signal, onBad } = run;
  const { loaded } = base;
  const tunable = tunableOf(loaded, data.problem.inputs, settings.imageSize);
  const options = trainingOptions(settings);
  const plan = tuningPlan(tunable, data.problem, settings, seed);
  reporter.note("tracing the steps…");
  const graphs = await traceSteps(STAGE, options, plan, { signal });
  const declared = declaredState(graphs, plan);
  const { specs } = declared; // parameters, and what is saved and not trained
  using state = new State(loaded.device);
  const names = { model: specs.map(({ name }) => name), optimizer: Object.keys(declared.initial) };
  for (const [name, first] of Object.entries(declared.initial)) state.write(name, first);
  sayFirst(await firstValues(base, { tunable, problem: data.problem }, specs, { state, seed, signal }), run);
  if (resumed) await restore(resumed, state, names, signal);
  const note = (line: string): void => reporter.note(line);
  const updater = await createUpdater({ options, plan, graphs, state, device: loaded.device, note, signal });
  const whole = tunedImage(base, settings.imageSize);
  const pixels = data.problem.inputs === "text" ? undefined : pixelCache(PIXEL_BYTES);
  const { model } = tunable;
  const parts = { tunable, model, problem: data.problem, settings, state, tokenizer: loaded.tokenizer, whole, pixels };
  const measurer = createMeasurer({ ...parts, batchSize: Math.min(32, settings.batchSize), onBad });
  try {
    const outcome = await runLoop(run, {
      updater,
      measurer,
      state,
      names,
      resumed,
      whole,
      pixels,
      chance: declared.chance,
      specs,
    });
    if (outcome.ending === "stopped") return { ...NOTHING, status: "stopped", out: run.out, step: outcome.step };
    await takeBest(run.out, state, names, outcome);
    await saveTuned(run.out, { ...parts, names: names.model, image: whole });
    return await finalFigures(run, outcome, (source) => measurer.outputs(source, signal));
  } finally {
    reporter.end();
    measurer.dispose();
    updater.dispose();
  }
}

/** Decoded pictures that are kept. */
const PIXEL_BYTES = 2 ** 30;

const NOTHING = { figures: {}, tests: {}, intervals: {}, outputs: {} };

function sayFirst(
  { taken, drawn, resized }: Awaited<ReturnType<typeof firstValues>>,
  { base, reporter, settings }: Running,
): void {
  const { name = "the model" } = base.loaded;
  const from = base.random ? "weights drawn anew, for comparison" : `${taken} tensors from ${name}`;
  reporter.note(drawn.length > 0 && !base.random ? `${from}; drawn: ${drawn.join(", ")}` : from);
  if (resized) reporter.note(`position embeddings interpolated for pictures of ${settings.imageSize} pixels`);
}

async function finalFigures(
  run: Running,
  outcome: LoopOutcome,
  ask: (source: Source) => Promise<Outputs>,
): Promise<TuningResult> {
  const { data, record, out, reporter, seed } = run;
  const { problem } = data;
  const outputs: Record<string, Outputs> = {};
  const found: Record<string, Figures> = {};
  const intervals: Record<string, Intervals> = {};
  for (const [name, source] of Object.entries({ validation: data.validation.source, ...run.tests })) {
    reporter.note(`measuring ${name} with the best checkpoint…`);
    outputs[name] = await ask(source);
    found[name] = figures(problem, outputs[name]);
    intervals[name] = figureIntervals(problem, outputs[name], seed);
    const section = confusionSection(name, problem.target, outputs[name]);
    if (section) await saveGallerySection(out, `confusion-${name}`, section);
  }
  const guess = guessFigures(
    problem,
    data.classes.map(({ validation }) => validation),
  );
  await record.update({
    results: flat(found),
    intervals: flat(intervals),
    chance: flat({ validation: guess }),
  });
  const { validation = {}, ...tests } = found;
  return { status: "done", out, figures: validation, tests, intervals, step: outcome.bestStep, outputs };
}

/** `{ test: { accuracy } }` as run.json has it, `{ test_accuracy }`, and back. */
const flat = <T>(parts: Readonly<Record<string, Readonly<Record<string, T>>>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(parts).flatMap(([part, all]) =>
      Object.entries(all).map(([name, value]) => [`${part}_${name}`, value] as const),
    ),
  );

const partOf = <T>(all: Readonly<Record<string, T>>, part: string): Record<string, T> =>
  Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) =>
      key.startsWith(`${part}_`) ? [[key.slice(part.length + 1), value] as const] : [],
    ),
  );

/** The figures of a run that was done before. */
function known(
  { out, tests = {} }: TuningRequest,
  { results, intervals = {}, stages }: RunInfo,
  { note }: TuningReporter,
): TuningResult {
  const names = Object.keys(tests);
  for (const name of names)
    if (Object.keys(partOf(results, name)).length === 0)
      note(`${out}: trained before without ${name}, which is not measured now; flava predict reads other samples`);
  return {
    status: "done",
    out,
    figures: partOf(results, "validation"),
    tests: Object.fromEntries(names.map((name) => [name, partOf(results, name)])),
    intervals: Object.fromEntries(["validation", ...names].map((name) => [name, partOf(intervals, name)])),
    step: stages[STAGE]?.done ?? 0,
    outputs: {},
  };
}
