/** `flava eval MODEL…`: models on the paper's tasks, one file of results for each pair of them. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ConfigError, DataError, FlavaError } from "../errors.ts";
import { statOf } from "../io/index.ts";
import { deviceNames } from "../runtime/device-names.ts";
import { MEASURES, type Measure } from "../tasks/evaluate/measure-names.ts";
import type { CellEvent, NamedModel, Task } from "../tasks/index.ts";
import { action, type Io } from "./command.ts";
import { natural, positive, seedsOf } from "./numbers.ts";
import type { Progress } from "./progress.ts";

interface Options {
  readonly tasks?: readonly string[];
  readonly measure?: readonly Measure[];
  readonly dataRoot: string;
  readonly out: string;
  readonly seed: number;
  readonly seeds?: readonly number[];
  readonly rerank?: number;
  readonly device?: string;
  readonly threads?: number;
  readonly batchSize: number;
  readonly cacheDir?: string;
  readonly baselines?: true;
  readonly list?: true;
}

/** The ways without the one that takes hours for each task of the paper: it is asked for, or its tasks are named. */
const QUICK: readonly Measure[] = [
  "linear_probe",
  "text_probe",
  "zeroshot_retrieval",
  "image_text_matching",
  "pair_retrieval",
];

const HELP = `
Without --tasks: every task of the paper whose data are there. A task is the name of one of them, of a task of the starter data
(starter-…), or a task file. A cell that exists for the same weights, data and settings is left as it is; several processes may share
the work.

Examples:
  flava eval --list --data-root ~/data
  flava eval runs/starter --tasks mnist,pets --data-root ~/data --out results
  flava eval flava=runs/starter other=runs/other --tasks starter-families,starter-groups --out results
  flava eval runs/starter --tasks starter-groups,starter-mnist --baselines
  flava eval runs/starter --tasks starter-supersenses,starter-groups --seeds 0,1,2
  flava eval runs/starter --tasks starter-style --rerank 10
  flava eval runs/starter --measure zeroshot_classification --tasks cifar10 --data-root ~/data
  flava table results --published flava`;

export function define(program: Command): void {
  program
    .command("eval")
    .summary("models on the paper's tasks → results for flava table")
    .description(
      "Measures models on tasks whose data lie below one folder: linear evaluation, zero-shot retrieval, zero-shot classification. Writes one JSON file for each model and task, with the keys of CLIP_benchmark.",
    )
    .argument(
      "[models...]",
      "a run's folder, a model's folder, or a repository of the Hub; NAME=MODEL names its column",
    )
    .option("--tasks <names>", "which tasks, with commas between", names)
    .addOption(
      new Option("--measure <ways>", `how, with commas between: ${MEASURES.join(", ")}`)
        .argParser(measuresOf)
        .default(undefined, `${QUICK.join()}, and finetune for tasks that are named`),
    )
    .option("--data-root <dir>", "the folder with the folders of the data sets", ".")
    .option("--out <dir>", "folder that the results go into", "results")
    .option(
      "--seed <n>",
      "of what is drawn: held-out samples where the data do not say, and bootstrap intervals",
      natural,
      0,
    )
    .addOption(
      new Option(
        "--seeds <list>",
        "as 0,1,2: fine-tunings, probes and matching once for each; flava table has the mean and the spread",
      )
        .argParser(seedsOf)
        .conflicts("seed"),
    )
    .option(
      "--rerank <k>",
      "in retrieval: put the first k candidates in order by the matching head too; costs k pairs a query",
      positive,
    )
    .addOption(new Option("--device <name>", "what computes").choices(deviceNames))
    .option("--threads <n>", "threads of one operator; all processors unless given", positive)
    .option(
      "--batch-size <n>",
      "pictures or texts that go through a model at once; no result depends on it",
      positive,
      32,
    )
    .option("--cache-dir <dir>", "where features and fetched data are kept")
    .option(
      "--baselines",
      "also what models are compared with: raw pixels, each model's encoder before any training, the words of a task alone",
    )
    .option("--list", "say for each task what is there, and where to get what is not")
    .addHelpText("after", HELP)
    .action(action<Options>(run));
}

const names = (text: string): string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

function measuresOf(text: string): Measure[] {
  const asked = names(text);
  const unknown = asked.find((name) => !MEASURES.some((known) => known === name));
  if (asked.length === 0 || unknown !== undefined) throw new InvalidArgumentError(`expected ${MEASURES.join(", ")}`);
  return asked as Measure[];
}

async function run(io: Io, models: readonly string[], options: Options): Promise<void> {
  if (options.list) return list(io, options);
  if (models.length === 0)
    throw new ConfigError("eval: expected a model, got none", "name the folder of a run, or ask for --list");
  const { evaluate } = await import("../tasks/index.ts");
  const { FlavaModel } = await import("../api/index.ts");
  const { defaultCacheDir } = await import("../datasets/starter/index.ts");
  const tasks = options.tasks ? await tasksOf(options.tasks) : await tasksThere(io, options);
  const line = createLine(io);
  const events = await evaluate({
    models: models.map(named),
    tasks,
    measures: options.measure ?? (options.tasks ? [...QUICK, "finetune"] : QUICK),
    ...{ dataRoot: options.dataRoot, out: options.out, seed: options.seed, signal: io.signal },
    seeds: options.seeds,
    baselines: options.baselines,
    rerank: options.rerank,
    cacheDir: options.cacheDir ?? defaultCacheDir(),
    open: (path) =>
      FlavaModel.fromPretrained(path, {
        signal: io.signal,
        onWarning: io.note,
        batchSize: options.batchSize,
        ...(options.device && { device: options.device as "cpu" }),
        ...(options.threads && { threads: options.threads }),
      }),
    onProgress: line.update,
    onCell: (event) => {
      line.end();
      io.note(sentence(event));
    },
  });
  line.end();
  io.result(
    events.map(sentence).join("\n"),
    events.map((event) => ("error" in event ? { ...event, error: event.error.message } : event)),
  );
  const failed = events.filter(({ state }) => state === "failed");
  if (failed.length > 0)
    throw new DataError(`eval: ${failed.length} of ${events.length} could not be measured, as said above`);
}

/** NAME=MODEL, or a model that is called as its path. */
function named(text: string): NamedModel {
  const [, name, path] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  return name && path ? { name, path } : { name: text.replace(/^\.\//, "").replace(/(.)\/+$/, "$1"), path: text };
}

async function tasksOf(asked: readonly string[]): Promise<Task[]> {
  const { paperTasks, pickTasks, readTask, starterTasks } = await import("../tasks/index.ts");
  const known = [...(await paperTasks()), ...(await starterTasks())];
  return Promise.all(
    asked.map(async (name) => (name.endsWith(".json") ? readTask(name) : pickTasks(known, [name])[0]!)),
  );
}

/** Those of the paper that can be measured here. */
async function tasksThere(io: Io, { dataRoot, measure = QUICK }: Options): Promise<Task[]> {
  const { findTask, measures, paperTasks } = await import("../tasks/index.ts");
  const found: Task[] = [];
  for (const task of await paperTasks()) {
    if (!measure.some((way) => measures[way].suits(task))) continue;
    if (await findTask(task, dataRoot, io.signal)) found.push(task);
  }
  if (found.length > 0) return found;
  const there = await statOf(dataRoot);
  throw new DataError(
    `${dataRoot}: expected data of the paper's tasks below this folder, found ${there ? "none" : "no such folder"}`,
    "flava eval --list says what is looked for; tasks of the starter data are measured when they are named: --tasks starter-families",
  );
}

/** One line of progress for whatever is being done. */
function createLine(io: Io) {
  let open: { readonly what: string; readonly progress: Progress } | undefined;
  const end = (): void => {
    open?.progress.end();
    open = undefined;
  };
  return {
    end,
    update(what: string, done: number, total: number | undefined): void {
      if (open?.what !== what) {
        end();
        open = { what, progress: io.progress({ label: what, unit: "done", total }) };
      }
      open.progress.update(done);
    },
  };
}

function sentence(event: CellEvent): string {
  const seed = event.seed === undefined ? "" : ` seed ${event.seed}`;
  const what = `${event.task} ${event.measure} ${event.model}${seed}`;
  if (event.state === "busy") return `${what}: another process is at it`;
  if (event.state === "failed") return `${what}: not measured: ${event.error.message}`;
  const figures = Object.entries(event.cell.metrics).map(
    ([name, value]) => `${name} ${value?.toFixed(4) ?? "undefined"}`,
  );
  return `${what}${how(event)}: ${figures.join(", ")}`;
}

/** Whether it was measured now, and why again. */
function how(event: CellEvent): string {
  if (event.state === "known") return " (known)";
  if (event.state !== "done" || !event.changed) return "";
  const [first, ...others] = event.changed;
  return ` (measured again: ${first}${others.length > 0 ? `, and ${others.length} more` : ""})`;
}

async function list(io: Io, { dataRoot, tasks: asked }: Options): Promise<void> {
  const { paperTasks, starterTasks } = await import("../tasks/index.ts");
  const tasks = asked ? await tasksOf(asked) : [...(await paperTasks()), ...(await starterTasks())];
  if (!(await statOf(dataRoot))) io.note(`${dataRoot}: there is no such folder`);
  const rows = await Promise.all(tasks.map((task) => rowOf(task, dataRoot)));
  const width = Math.max(...rows.map(({ task }) => task.length));
  const lines = rows.map((row) => `${row.there ? "✓" : "–"} ${row.task.padEnd(width)}  ${row.says}`);
  io.result(lines.join("\n"), rows);
}

async function rowOf(task: Task, dataRoot: string) {
  const { findTask, layouts } = await import("../tasks/index.ts");
  const { name, data, protocol } = task;
  const about = { task: name, protocol, source: data.source };
  try {
    const place = await findTask(task, dataRoot);
    if (place)
      return {
        ...about,
        there: true,
        layout: place.layout,
        folder: place.root,
        says: place.layout === "starter" ? "the starter data" : `${place.root} (${place.layout})`,
      };
    const [first] = data.layouts;
    const put = `put ${layouts[first!].looks} into ${dataRoot}/${data.folder}: ${data.source}`;
    return { ...about, there: false, says: first === "starter" ? data.source : put };
  } catch (error) {
    if (!(error instanceof FlavaError)) throw error;
    return { ...about, there: false, says: error.message.replaceAll("\n  ", " ") };
  }
}
