/** What `flava finetune` loads when it runs: data and model, the settings, a run for each seed, and what is said of them. */
import { basename, join } from "node:path";
import { parse } from "yaml";
import { FlavaModel, type LoadOptions } from "../api/index.ts";
import type { Source } from "../data/index.ts";
import { openData } from "../datasets/index.ts";
import { ConfigError } from "../errors.ts";
import {
  checkBest,
  finetune,
  type GivenSettings,
  labelledSource,
  type Needs,
  namedSource,
  type PreparedData,
  prepareData,
  SETTING_NAMES,
  type Settings,
  settingsBase,
  settingsFor,
  splitFolders,
  type TuningResult,
  tunableOf,
} from "../finetune/index.ts";
import { type Json, statOf } from "../io/index.ts";
import { findCheckpoints } from "../record/index.ts";
import { nearest } from "../tensor/index.ts";
import { Cancelled, type Io } from "./command.ts";
import { withProgress } from "./data-fetch.ts";
import { withDownloads } from "./download-progress.ts";
import type { FinetuneOptions } from "./finetune.ts";
import { describeCut, describeData, plan, sayResults } from "./finetune-words.ts";
import { consoleReporter } from "./run-reporter.ts";

/** Trains, or with --dry-run says what would be trained. */
export async function run(io: Io, path: string, options: FinetuneOptions): Promise<void> {
  const given = settingsGiven(options.set ?? []);
  const opened = await openSources(io, options);
  await using model = await openModel(io, path, options);
  tunableOf(model.loaded, opened.needs.inputs, given.imageSize); // refused before any sample is read
  const seeds = options.seeds ?? [options.seed];
  const out = options.out ?? join("runs", `finetune-${stemOf(options.data)}`);
  const results: TuningResult[] = [];
  for (const seed of seeds) {
    const data = await readData(io, model, opened, { ...options, seed });
    const settings = settingsFor(given, settingsBase(model, data, given.imageSize));
    checkBest(options.best, data.problem);
    const described = [...describeData(data), ...describeCut(data, settings, model)];
    if (options.dryRun) return io.result(plan(settings, described), { settings, problem: data.problem, why: data.why });
    if (seed === seeds[0]) for (const line of described) io.note(line);
    const folder = seeds.length > 1 ? join(out, `seed-${seed}`) : out;
    if (seeds.length > 1) io.note(`seed ${seed}: ${folder}`);
    results.push(await one(io, { path, options, opened, model, data, settings, seed, folder }));
  }
  await sayResults(io, results, { out, seeds });
}

const stemOf = (spec: string): string => basename(spec.replace(/[/\\]+$/, "")).replace(/[^\w-]+.*$/, "") || "data";

/** `--set key=value`. Throws ConfigError for a key that is no setting. */
export function settingsGiven(assignments: readonly string[]): GivenSettings {
  const given = assignments.map((assignment) => {
    const [, key, text] = /^\s*([^=]+?)\s*=(.*)$/s.exec(assignment) ?? [];
    if (key === undefined) throw new ConfigError(`--set ${assignment}: expected key=value, as in epochs=3`);
    if (!SETTING_NAMES.includes(key))
      throw new ConfigError(`--set ${key}: expected a setting, got "${key}"`, nearest(key, SETTING_NAMES));
    return [key, parse(text!) as unknown] as const;
  });
  return Object.fromEntries(given) as GivenSettings;
}

interface Opened {
  readonly needs: Needs;
  readonly train: Source;
  readonly validation: Source | undefined;
  readonly test: Source | undefined;
  /** For the recipe. */
  readonly about: Json;
}

async function openSources(io: Io, options: FinetuneOptions): Promise<Opened> {
  const { text, textPair, image, label, inputs, cacheDir, outside } = options;
  const parts = options.validation === undefined ? await splitFolders(options.data) : undefined;
  if (parts) io.note(`${options.data}: training in ${parts.train}, validation in ${parts.validation}`);
  const columns = { text, textPair, image, label };
  const named = (spec: string) => namedSource(spec, columns, { inputs });
  const main = await named(parts?.train ?? options.data);
  const open = async (spec: string | undefined): Promise<Source | undefined> => {
    if (spec === undefined) return undefined;
    const found = await named(spec);
    return withProgress(io, (onProgress) =>
      openData(found.spec, { cacheDir, outside, signal: io.signal, note: io.note, onProgress }),
    );
  };
  const validation = parts?.validation ?? options.validation;
  const from = options.as === "answers" ? ("answers" as const) : ("label" as const);
  return {
    needs: { inputs: main.inputs, textPairs: main.textPairs, from },
    train: (await open(parts?.train ?? options.data))!,
    validation: await open(validation),
    test: await open(options.test),
    about: JSON.parse(JSON.stringify({ data: main.spec, validation, columns })) as Json,
  };
}

const openModel = (io: Io, path: string, { device, threads }: FinetuneOptions): Promise<FlavaModel> =>
  withDownloads(io, (progressCallback) =>
    FlavaModel.fromPretrained(path, {
      ...(device && { device: device as LoadOptions["device"] }),
      threads,
      onWarning: io.note,
      progressCallback,
      signal: io.signal,
    }),
  );

async function readData(
  io: Io,
  model: FlavaModel,
  { needs, train, validation }: Opened,
  { as, label = "label", share, seed }: FinetuneOptions,
): Promise<PreparedData> {
  const progress = io.progress({ label: "reading the samples", unit: "samples", total: train.count });
  try {
    return await prepareData({
      ...{ train, validation, needs, as, share, seed, name: label, tokenizer: model.loaded.tokenizer },
      signal: io.signal,
      note: (line) => progress.note(line),
      onProgress: (_, done) => progress.update(done),
    });
  } finally {
    progress.end();
  }
}

interface One {
  readonly path: string;
  readonly options: FinetuneOptions;
  readonly opened: Opened;
  readonly model: FlavaModel;
  readonly data: PreparedData;
  readonly settings: Settings;
  readonly seed: number;
  readonly folder: string;
}

async function one(io: Io, { path, options, opened, model, data, settings, seed, folder }: One): Promise<TuningResult> {
  const several = options.seeds !== undefined;
  const begun = several && (await statOf(join(folder, "recipe.json"))) !== undefined;
  const command = `flava finetune ${path} --data ${options.data} --out ${folder}`;
  const result = await finetune(
    {
      base: { loaded: model.loaded, image: model.processor.image, random: options.fromScratch },
      ...{ data, settings, seed, best: options.best, out: folder, command, name: basename(folder) },
      ...(opened.test && { tests: { test: labelledSource(opened.test, opened.needs, data.problem.target) } }),
      resume: options.resume ?? begun,
      about: { model: path, ...(opened.about as object) } as Json,
    },
    { reporter: consoleReporter(io), signal: io.signal },
  ).catch(async (error: unknown) => {
    throw io.signal.aborted ? await stopped(io, folder, several) : error;
  });
  if (result.status === "stopped") throw await stopped(io, folder, several);
  return result;
}

/** What is thrown when the run was cancelled: how it goes on. */
async function stopped(io: Io, folder: string, several: boolean): Promise<Cancelled> {
  const last = (await findCheckpoints(join(folder, "finetune"))).at(-1);
  const { signal } = io.signal.reason as Cancelled;
  const how = several ? "the same command goes on" : "go on with the same command and --resume";
  return new Cancelled(signal, last ? `cancelled: saved at step ${last.step}, ${how}` : "cancelled: nothing saved yet");
}
