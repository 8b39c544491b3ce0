/** `flava ablate FILE`: trains the columns of an ablation, measures them on tasks, and writes their table. */
import { type Command, Option } from "commander";
import type { AblationPlan, ColumnTraining, RunCost } from "../ablation/index.ts";
import { DataError } from "../errors.ts";
import { deviceNames } from "../runtime/device-names.ts";
import { action, Cancelled, type Io } from "./command.ts";
import { natural, seedsOf } from "./numbers.ts";
import { formatBytes, formatCount, formatDuration } from "./progress.ts";

interface Options {
  readonly only?: readonly string[];
  readonly seeds?: readonly number[];
  readonly out?: string;
  readonly dataRoot: string;
  readonly cacheDir?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly dryRun?: true;
}

const HELP = `
The file names recipes, one a column, a budget of samples that all of them see, seeds, and tasks. Stages that columns share are trained
once a seed. What is done stays: stopped or killed, the same command goes on where it was.

Examples:
  flava ablate recipes/ablation-starter.yaml --dry-run
  flava ablate recipes/ablation-starter.yaml
  flava ablate recipes/ablation-starter.yaml --only 3,6 --seeds 0,1
  flava table runs/ablation-starter --format html --difference flava,clip --output difference.html`;

export function define(program: Command): void {
  program
    .command("ablate")
    .summary("columns of an ablation: trained, measured, and put into one table")
    .description(
      "Trains the columns of an ablation under one budget of samples, several seeds each, measures them on tasks, and writes the table with mean and spread: table.md, table.csv and table.html in its folder.",
    )
    .argument("<file>", "a YAML file; recipes/ablation-starter.yaml is one")
    .option("--only <columns>", "these columns, by number or key, with commas between", list)
    .option("--seeds <list>", "these seeds in place of the file's, as 0,1,2", seedsOf)
    .option("--out <dir>", "where runs, cells and tables go; runs/NAME unless given")
    .option("--data-root <dir>", "the folder with the folders of the tasks' data", ".")
    .option("--cache-dir <dir>", "where features and fetched data are kept")
    .addOption(new Option("--device <name>", "what computes").choices(deviceNames))
    .option("--threads <n>", "threads of the engine; 0: all processors", natural)
    .option("--dry-run", "say what would be trained and measured, and what it takes, and stop")
    .addHelpText("after", HELP)
    .action(action<Options>((io, [path], options) => ablate(io, path!, options)));
}

const list = (text: string): string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

async function ablate(io: Io, path: string, options: Options): Promise<void> {
  const { planAblation, readAblation } = await import("../ablation/index.ts");
  const { join } = await import("node:path");
  const file = await readAblation(path);
  const set = (["device", "threads"] as const).flatMap((key) =>
    options[key] === undefined ? [] : [`${key}=${options[key]}`],
  );
  const plan = await planAblation({
    file,
    out: options.out ?? join("runs", file.name),
    only: options.only,
    seeds: options.seeds,
    set,
  });
  if (options.dryRun) return printPlan(io, plan);
  await run(io, plan, options);
}

async function run(io: Io, plan: AblationPlan, options: Options): Promise<void> {
  const { runAblation } = await import("../ablation/index.ts");
  const { FlavaModel } = await import("../api/index.ts");
  const { defaultCacheDir } = await import("../datasets/starter/index.ts");
  const { markdownTable } = await import("../tasks/index.ts");
  await fetch(io, plan);
  const { device, threads } = options;
  const progress = createShare(io);
  const started = performance.now();
  try {
    const { table, files, failed } = await runAblation(plan, {
      dataRoot: options.dataRoot,
      cacheDir: options.cacheDir ?? defaultCacheDir(),
      command: `flava ablate ${plan.file.path} --out ${plan.out}`,
      open: (from) =>
        FlavaModel.fromPretrained(from, {
          ...{ signal: io.signal, batchSize: BATCH },
          ...(device && { device: device as "cpu" }),
          ...(threads && { threads }),
        }),
      note: progress.note,
      onProgress: progress.update,
      signal: io.signal,
    });
    progress.end();
    io.note(`${formatDuration((performance.now() - started) / 1000)}; written: ${files.join(", ")}`);
    io.result(markdownTable(table), { ...table, files });
    if (failed.length > 0)
      throw new DataError(
        `ablate: ${failed.length} cells could not be measured, as said above`,
        "the same command tries them again",
      );
  } catch (error) {
    progress.end();
    throw error instanceof Cancelled || io.signal.aborted
      ? new Cancelled((io.signal.reason as Cancelled).signal, "cancelled: the same command goes on where this stopped")
      : error;
  }
}

/** Pictures and texts that go through a model at once. */
const BATCH = 64;

/** All that the recipes read, before any work. */
async function fetch(io: Io, { base, columns }: AblationPlan): Promise<void> {
  const { specsOf } = await import("./pretrain-run.ts");
  const { withProgress } = await import("./data-fetch.ts");
  const { fetchData } = await import("../datasets/index.ts");
  const specs = new Map(
    [base, ...columns.map(({ resolved }) => resolved)].flatMap(specsOf).map((spec) => [JSON.stringify(spec), spec]),
  );
  for (const spec of specs.values())
    await withProgress(io, (onProgress) => fetchData(spec, { signal: io.signal, onProgress }));
}

/** A line for all of it, that begins where an earlier process stopped. */
function createShare(io: Io) {
  let line: ReturnType<Io["progress"]> | undefined;
  return {
    note: (text: string): void => (line ? line.note(text) : io.note(text)),
    update(done: number, what: string): void {
      line ??= io.progress({ label: "ablation", unit: "%", total: 100, start: 100 * done });
      line.update(100 * done, what);
    },
    end: (): void => line?.end(),
  };
}

async function printPlan(io: Io, plan: AblationPlan): Promise<void> {
  const { costsOf, suits, trainingOf, trainingText, waysOf } = await import("../ablation/index.ts");
  const { previewRun } = await import("../pretrain/run/preview.ts");
  const { words } = await previewRun(plan.base, { signal: io.signal, note: io.note });
  const trainings: ColumnTraining[] = [];
  for (const column of plan.columns) trainings.push(await trainingOf(column, plan.tables));
  const costs = await costsOf(plan, { vocabSize: words });
  const { file, out } = plan;
  const cells = trainings.map((training) => ({
    key: training.key,
    tasks: file.tasks.filter((task) => suits(training, task) && waysOf(task).length > 0).map(({ name }) => name),
  }));
  const unmeasured = file.tasks.filter((task) => waysOf(task).length === 0).map(({ name }) => name);
  const lines = [
    `${file.name} → ${out}: ${formatCount(file.samples)} samples a column`,
    ...trainings.map(
      (training, i) => `${trainingText(training)}\n   measured on ${cells[i]!.tasks.join(", ") || "nothing"}`,
    ),
    ...(unmeasured.length > 0 ? [`no way of measuring ${unmeasured.join(", ")}`] : []),
    "",
    ...costs.map(costLine),
    totalLine(costs),
  ];
  io.result(lines.join("\n"), {
    ...{
      name: file.name,
      out,
      samples: file.samples,
      columns: trainings.map((training, i) => ({ ...training, tasks: cells[i]!.tasks })),
      unmeasured,
    },
    runs: costs.map(({ run: { title, seed, column, recipe }, ...cost }) => ({
      title,
      seed,
      column,
      runDir: recipe.runDir,
      ...cost,
    })),
  });
}

const costLine = ({ run, samples, seconds, bytes }: RunCost): string =>
  `${run.title}: ${formatCount(samples)} samples${seconds === undefined ? "" : `, about ${formatDuration(seconds)}`}, ${formatBytes(bytes)} → ${run.recipe.runDir}`;

function totalLine(costs: readonly RunCost[]): string {
  const sum = (of: (cost: RunCost) => number | undefined): number =>
    costs.reduce((total, cost) => total + (of(cost) ?? 0), 0);
  const known = costs.every(({ seconds }) => seconds !== undefined);
  const time = known
    ? `, about ${formatDuration(sum(({ seconds }) => seconds))} of training on this machine as busy as it is now; reading and measuring come on top`
    : "";
  return `in all ${costs.length} runs, ${formatCount(sum(({ samples }) => samples))} samples${time}; ${formatBytes(sum(({ bytes }) => bytes))} on disk`;
}
