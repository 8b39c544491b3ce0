/** Fine-tuning on a task (§7.3 and §7.5 of the reference): the best checkpoint on validation samples, measured once on the test. */
import { join } from "node:path";
import { FlavaModel } from "../../api/index.ts";
import type { BadSample, Sample, Source } from "../../data/index.ts";
import { CheckpointError, ConfigError, FlavaError } from "../../errors.ts";
import {
  finetune,
  type GivenSettings,
  labelledSource,
  labelOf,
  type Needs,
  type PreparedData,
  prepareData,
  refusal,
  type Settings,
  settingsBase,
  settingsFor,
  type TuningReporter,
  type TuningResult,
} from "../../finetune/index.ts";
import { saveJson, statOf } from "../../io/index.ts";
import { openOwnSplit, openSplit, type TaskPlace, type TaskSource } from "../layouts/index.ts";
import type { Task } from "../schema.ts";
import type { Measured, MeasureOptions } from "./measured.ts";
import type { Refused } from "./streams.ts";
import { requireClasses } from "./unseen-classes.ts";

/** Where a fine-tuning keeps its run. */
export interface TuneOptions extends MeasureOptions {
  readonly runDir: string;
}

const INPUTS = { "finetune-text": "text", "finetune-image": "image", "finetune-pair": "pair" } as const;

/** What of a task's samples is read. */
export function needsOf({ name, protocol, data, figures }: Task): Needs {
  if (!(protocol in INPUTS)) throw new ConfigError(`task ${name}: expected a task to fine-tune on, got ${protocol}`);
  const inputs = INPUTS[protocol as keyof typeof INPUTS];
  const answers = figures.some(({ metric }) => metric === "vqa_score");
  return {
    inputs,
    textPairs: inputs !== "image" && (data.fields?.length ?? 1) > 1,
    from: answers ? "answers" : "label",
  };
}

/**
 * Trains by the task file's settings and measures the test. Data without a validation split choose the checkpoint by the test split, as
 * the figures on GLUE's development sets do; where the test has no labels a share of the training samples is held out, the figures are
 * of those, and what is said of the test is written beside the run.
 */
export async function fineTuning(model: FlavaModel, place: TaskPlace, options: TuneOptions): Promise<Measured> {
  const { task } = place;
  const needs = needsOf(task);
  const train = await openSplit(place, "train");
  const tests = await testsOf(place);
  if (!train || tests.length === 0)
    throw new ConfigError(`task ${task.name}: expected splits for training and for the test in its file`);
  const own = await openSplit(place, "validation");
  const open = await hasLabels(tests[0]!.source, needs);
  const refused = new Map<string, Refused>();
  // A split may be read several times: to learn what is there, to choose by, to be measured.
  const onBad = ({ source, key, reason, kept }: BadSample): void => {
    if (!kept) refused.set(`${source}\n${key}`, { key, reason });
  };
  const data = await read(
    { place, needs, train, tests, validation: own ?? (open ? tests[0]!.source : undefined) },
    model,
    options,
    onBad,
  );
  const settings = settingsFor(settingsOf(task, data), settingsBase(model, data, task.data.imageSize));
  const result = await tuned(model, place, { ...options, data, settings, onBad, tests: open ? tests : [], needs });
  if (result.status === "stopped") options.signal?.throwIfAborted();
  const said = open ? undefined : await saveAnswers(result.out, { tests, needs, onBad }, options);
  return {
    metrics: named(tests, open, result),
    about: {
      interval: named(tests, open, { figures: result.intervals.validation ?? {}, tests: result.intervals }),
      samples: { train: data.train.count, validation: data.validation.count },
      step: result.step,
      chosen_by: `${bestOf(task)} on ${own ? "validation" : open ? tests[0]!.name : `${data.validation.count} training samples held out`}`,
      settings,
      validation: result.figures,
      run: options.runDir,
      ...(said && { answers: said }),
    },
    refused: [...refused.values()],
  };
}

interface Tuning extends TuneOptions {
  readonly data: PreparedData;
  readonly settings: Settings;
  readonly needs: Needs;
  /** Those that have labels. */
  readonly tests: readonly NamedTest[];
  readonly onBad: (bad: BadSample) => void;
}

async function tuned(model: FlavaModel, { task, layout }: TaskPlace, options: Tuning): Promise<TuningResult> {
  const { data, settings, needs, tests, onBad, runDir, fromScratch, seed = 0, signal } = options;
  const { target } = data.problem;
  const resume = (await statOf(join(runDir, "recipe.json"))) !== undefined;
  const running = finetune(
    {
      base: { loaded: model.loaded, image: model.processor.image, random: fromScratch },
      ...{ data, settings, seed, best: bestOf(task), out: runDir, name: task.name },
      tests: Object.fromEntries(tests.map(({ name, source }) => [name, labelledSource(source, needs, target)])),
      resume,
      command: `flava eval --measure finetune --tasks ${task.name}`,
      about: { task: task.name, weights: fromScratch ? "drawn" : (model.weightsHash ?? null), layout },
    },
    { reporter: reporterOf(options), signal, onBad },
  );
  return running.catch((error: unknown) => {
    throw resume ? withWayOut(error, runDir) : error;
  });
}

/** What a checkpoint of another version of the package is met with: the run that was begun is in the way. */
export function withWayOut(error: unknown, runDir: string): unknown {
  if (!(error instanceof CheckpointError)) return error;
  const help = `remove ${runDir} to begin its fine-tuning anew`;
  return new CheckpointError(`the run that was begun cannot go on: ${error.message}`, help, { cause: error });
}

interface NamedTest {
  readonly name: string;
  readonly source: TaskSource;
}

/** The test, and where it is several splits of the data each of them: MNLI's matched and mismatched. */
async function testsOf(place: TaskPlace): Promise<NamedTest[]> {
  const names = place.task.data.splits.test ?? [];
  if (names.length > 1)
    return Promise.all(names.map(async (name) => ({ name, source: await openOwnSplit(place, name) })));
  const source = await openSplit(place, "test");
  return source ? [{ name: names[0] ?? "test", source }] : [];
}

/** Whether the first sample has a label: a public test may have none. */
async function hasLabels(source: Source, { from }: Needs): Promise<boolean> {
  for await (const { sample } of source.samples()) return labelOf(sample, { from }) !== undefined;
  return false;
}

interface Sources {
  readonly place: TaskPlace;
  readonly needs: Needs;
  readonly train: Source;
  readonly validation: Source | undefined;
  readonly tests: readonly NamedTest[];
}

/** Held out where neither a validation nor a test is there to choose by. */
const HELD_OUT = 0.05;

async function read(
  { place, needs, train, validation, tests }: Sources,
  model: FlavaModel,
  { seed = 0, signal, onProgress }: TuneOptions,
  onBad: (bad: BadSample) => void,
): Promise<PreparedData> {
  const { task, classes } = place;
  const data = await prepareData({
    ...{ train, validation, needs, seed, share: HELD_OUT, onBad },
    as: needs.from === "answers" ? "answers" : task.data.range ? "number" : "classes",
    name: task.name,
    classes: needs.from === "answers" || task.data.range ? undefined : (task.data.classes ?? classes),
    answers: task.data.classCount,
    tokenizer: model.loaded.tokenizer,
    signal,
    onProgress,
  });
  if (data.problem.target.kind === "classes") {
    const trained = data.classes.flatMap(({ name, train: count }) => (count > 0 ? [name] : []));
    const tested = tests.flatMap(({ source }) => source.labels ?? []);
    requireClasses(place, trained, tested);
  }
  return data;
}

/** The file's settings. A set of fewer samples than a batch, as a miniature is, is one batch. */
function settingsOf({ settings, data }: Task, { train }: PreparedData): GivenSettings {
  const batchSize = settings && Math.min(settings.batchSize, train.count);
  return {
    ...settings,
    ...(batchSize && { batchSize }),
    ...(settings && { headHidden: settings.headHidden ?? null }),
    ...(data.imageSize && { imageSize: data.imageSize }),
  };
}

/** The figure of the table, where it is one figure; accuracy else. */
const bestOf = ({ figures: [first] }: Task): string =>
  first && first.of === undefined && first.metric !== "mean" ? first.metric : "accuracy";

/** By the names of the table: of several tests with the end of each name, `accuracy_matched`. */
function named<T>(
  names: readonly NamedTest[],
  open: boolean,
  { figures, tests }: { readonly figures: ByFigure<T>; readonly tests: Readonly<Record<string, ByFigure<T>>> },
): ByFigure<T> {
  const renamed = (all: ByFigure<T>, name: (figure: string) => string): [string, T][] =>
    Object.entries(all).map(([figure, value]) => [name(figure), value]);
  if (!open) return Object.fromEntries(renamed(figures, (figure) => `validation_${figure}`));
  if (names.length === 1) return tests[names[0]!.name] ?? figures;
  return Object.fromEntries(
    names.flatMap(({ name }) => renamed(tests[name] ?? {}, (figure) => `${figure}_${name.split("_").at(-1)}`)),
  );
}

type ByFigure<T> = Readonly<Record<string, T>>;

function reporterOf({ onProgress }: TuneOptions): TuningReporter {
  let steps: number | undefined;
  return {
    note: () => undefined,
    begin: (_, total) => {
      steps = total;
    },
    step: (step) => onProgress?.("fine-tuning", step, steps),
    end: () => undefined,
  };
}

interface Unlabelled {
  readonly tests: readonly NamedTest[];
  readonly needs: Needs;
  readonly onBad: (bad: BadSample) => void;
}

/** What the tuned model says of a test without labels, as the server of VQA takes it: `[{ question_id, answer }]`. */
async function saveAnswers(
  out: string,
  { tests, needs, onBad }: Unlabelled,
  { signal, onProgress }: TuneOptions,
): Promise<string> {
  await using tuned = await FlavaModel.fromPretrained(out, { signal });
  const answers: { readonly question_id: string | number; readonly answer: string }[] = [];
  for (const { source } of tests)
    for await (const { sample } of source.samples({ signal, onBad })) {
      const { key } = sample;
      const answer = await answerTo(tuned, sample, needs, signal);
      if (typeof answer === "string") answers.push({ question_id: /^\d+$/.test(key) ? Number(key) : key, answer });
      else onBad({ source: source.name, key, reason: answer.refused });
      onProgress?.("answers to the test", answers.length, source.count);
    }
  const path = join(out, "answers.json");
  await saveJson(path, answers);
  return path;
}

/** The likeliest answer, or why there is none. */
async function answerTo(
  tuned: FlavaModel,
  sample: Sample,
  needs: Needs,
  signal: AbortSignal | undefined,
): Promise<string | { readonly refused: string }> {
  const reason = refusal(sample, needs, false);
  if (reason !== undefined) return { refused: reason };
  const { inputs, textPairs } = needs;
  const { key, image, texts = [] } = sample;
  const input = {
    ...(inputs !== "text" && { image: { key, image: image! } }),
    ...(inputs !== "image" && { text: texts[0]!, ...(textPairs && { textPair: texts[1]! }) }),
  };
  try {
    const [said] = await tuned.predict([input], { signal });
    return said![0]!.label;
  } catch (error) {
    if (!(error instanceof FlavaError) || signal?.aborted) throw error;
    return { refused: error.message.split("\n")[0]! };
  }
}
