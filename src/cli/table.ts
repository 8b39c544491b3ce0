/** `flava table`: the results of models on the tasks, beside those that the paper printed. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ConfigError, DataError } from "../errors.ts";
import type { Column, ResultTable, TableOptions, Task } from "../tasks/index.ts";
import { action, type Io } from "./command.ts";

interface Options {
  readonly published?: true | readonly string[];
  readonly systems?: true;
  readonly starter?: true;
  readonly format: "markdown" | "csv" | "html";
  readonly intervals?: true;
  readonly difference?: readonly [string, string];
  readonly output?: string;
}

const HELP = `
Examples:
  flava table --published                       the paper's table 4 with its averages
  flava table --published --systems             its table 5: other systems
  flava table --systems                         FLAVA and the compared systems: what each trains and answers
  flava table --systems runs/compared           and what flava ablate recipes/compared.yaml has measured of them
  flava table results/ --published flava clip   cells of flava eval beside two columns of the paper
  flava table runs/ablation-starter             the table that flava ablate wrote, as far as it is measured
  flava table results/ --format html --difference flava,clip-pmd --output table.html`;

export function define(program: Command): void {
  program
    .command("table")
    .summary("results of flava eval → one table, beside the paper's")
    .description(
      "Prints the results of models on the tasks with the averages of the paper: NLP, vision, multimodal, and macro. Best of a row in bold.",
    )
    .argument("[results...]", "files and folders that flava eval has written, or a folder of flava ablate")
    .option(
      "--published [columns...]",
      "the paper's columns: all, or those named (mim mlm flava-c flava-mm flava-no-init flava clip-pmd clip)",
    )
    .option(
      "--systems",
      "what FLAVA and the compared systems train and answer, from their recipes (--starter: those of the starter data); with --published: the paper's table 5",
    )
    .option("--starter", "the tasks of the starter data in place of the paper's, without averages")
    .addOption(
      new Option("--format <format>", "how it is written").choices(["markdown", "csv", "html"]).default("markdown"),
    )
    .option("--difference <two>", "two columns, `a,b`: html gets a chart of a less b", twoNames)
    .option("--intervals", "beside each figure the interval in which 95 % of bootstrap resamples lie")
    .option("--output <file>", "where to write it; stdout unless given")
    .addHelpText("after", HELP)
    .action(action<Options>(table));
}

function twoNames(text: string): [string, string] {
  const names = text.split(",").map((name) => name.trim());
  if (names.length !== 2 || names.some((name) => name === ""))
    throw new InvalidArgumentError("expected two columns, `a,b`");
  return names as [string, string];
}

async function table(io: Io, paths: readonly string[], options: Options): Promise<void> {
  if (options.systems && !options.published) return systems(io, paths, options);
  const { csvTable, htmlTable, markdownTable } = await import("../tasks/index.ts");
  if (paths.length === 0 && !options.published)
    throw new ConfigError(
      "table: expected results of flava eval, got none",
      "name a folder of results, or ask for --published",
    );
  const ablation = await ofAblation(paths, options);
  const found = ablation?.table ?? (await ofCells(paths, options));
  const text = {
    markdown: () => markdownTable(found, options),
    csv: () => csvTable(found, options),
    html: () => htmlTable(found, { ...options, charts: ablation?.charts }),
  }[options.format]();
  if (!options.output) return io.result(text, asJson(found));
  const { saveFile } = await import("../io/index.ts");
  await saveFile(options.output, `${text}\n`);
  io.result(options.output, { output: options.output });
}

/** The compared systems themselves, and what an ablation of them has measured. */
async function systems(io: Io, paths: readonly string[], { starter, format, output }: Options): Promise<void> {
  const results = await systemResults(paths);
  const { systemRows, systemsTable } = await import("./systems.ts");
  const rows = await systemRows(starter ? "starter" : "base");
  const ticks = systemsTable(rows, format);
  const { csvTable, markdownTable } = await import("../tasks/index.ts");
  const text = results ? `${ticks}\n\n${(format === "csv" ? csvTable : markdownTable)(results)}` : ticks;
  if (!results) io.note(`no results beside it: there is no ${COMPARED}; flava ablate recipes/compared.yaml makes it`);
  if (!output) return io.result(text, results ? { systems: rows, results: asJson(results) } : rows);
  const { saveFile } = await import("../io/index.ts");
  await saveFile(output, `${text}\n`);
  io.result(output, { output });
}

/** Where `flava ablate recipes/compared.yaml` writes. */
const COMPARED = "runs/compared";

/** The table of the ablation that is named, or of the usual one where it is there. */
async function systemResults(paths: readonly string[]): Promise<ResultTable | undefined> {
  const { ablationTable, findAblation } = await import("../ablation/index.ts");
  const [folder = COMPARED, ...others] = paths;
  const record = others.length > 0 ? undefined : await findAblation(folder);
  if (record) return ablationTable(folder, record);
  if (paths.length === 0) return undefined;
  throw new ConfigError(
    `--systems: expected the folder of an ablation beside it, got ${paths.join(", ")}`,
    "flava ablate recipes/compared.yaml makes one",
  );
}

async function ofCells(paths: readonly string[], options: Options): Promise<ResultTable> {
  const { paperTasks, resultTable, starterTasks } = await import("../tasks/index.ts");
  const tasks = await (options.starter ? starterTasks() : paperTasks());
  const { columns, notes } = await allColumns(tasks, paths, options);
  const rows = options.systems ? tasks.filter((task) => columns.some((column) => hasFigure(column, task))) : tasks;
  return resultTable(rows, columns, { notes, ...averagedOf(options) });
}

/** The table of a folder of `flava ablate`, as that wrote it, and its curves; undefined where the paths are none. */
async function ofAblation(
  [folder, ...others]: readonly string[],
  options: Options,
): Promise<{ readonly table: ResultTable; readonly charts: string | undefined } | undefined> {
  if (folder === undefined) return undefined;
  const { ablationTable, curveChart, findAblation } = await import("../ablation/index.ts");
  const record = await findAblation(folder);
  if (!record) return undefined;
  if (others.length > 0 || options.published || options.starter)
    throw new ConfigError(
      `table: ${folder} is an ablation: expected no other results, --published or --starter beside it`,
      `its cells are in ${folder}/cells`,
    );
  const table = await ablationTable(folder, record);
  return { table, charts: curveChart(table, record) };
}

/** Which groups get an average, where not all of them. */
function averagedOf({ systems, starter }: Options): Pick<TableOptions, "averaged"> {
  if (starter) return { averaged: [] };
  return systems ? { averaged: ["nlp"] } : {};
}

const hasFigure = ({ values }: Column, { name }: Task): boolean =>
  [...values.keys()].some((key) => key.startsWith(`${name}/`));

async function allColumns(tasks: readonly Task[], paths: readonly string[], { published, systems }: Options) {
  const { cellColumns, cellNotes, publishedColumns, publishedSystems, publishedTable, readCells, systemColumns } =
    await import("../tasks/index.ts");
  const cells = await readCells(paths);
  if (cells.length === 0 && paths.length > 0)
    throw new DataError(`table: expected results of flava eval in ${paths.join(", ")}, found none`);
  const own = cellColumns(tasks, cells);
  const notes = [
    ...cellNotes(cells),
    ...(own.left.length > 0 ? [`Left out, since the table has no such row: ${own.left.join(", ")}.`] : []),
    ...(own.doubled.length > 0
      ? [`Left out, since there are cells of seeds beside these without one: ${own.doubled.join(", ")}.`]
      : []),
  ];
  if (!published) return { columns: own.columns, notes };
  const printed = systems
    ? systemColumns(tasks, await publishedSystems())
    : publishedTable(tasks, await publishedColumns());
  const columns = published === true ? printed.columns : pick(printed.columns, published);
  return { columns: [...columns, ...own.columns], notes: [...printed.notes, ...notes] };
}

function pick(columns: readonly Column[], names: readonly string[]): Column[] {
  return names.map((name) => {
    const column = columns.find(({ key }) => key === name);
    if (!column)
      throw new ConfigError(`--published ${name}: expected one of ${columns.map(({ key }) => key).join(", ")}`);
    return column;
  });
}

const asJson = ({ columns, rows, notes }: ResultTable): object => ({
  columns: columns.map(({ key, title }) => ({ key, title })),
  rows: rows.map(({ title, metric, group, average, values, spreads, intervals }) => ({
    title,
    metric,
    group,
    average,
    values: byColumn(columns, values),
    ...(spreads && { spreads: byColumn(columns, spreads) }),
    ...(intervals?.some(Boolean) && { intervals: byColumn(columns, intervals) }),
  })),
  notes,
});

const byColumn = (columns: ResultTable["columns"], values: readonly unknown[]): object =>
  Object.fromEntries(values.flatMap((value, c) => (value === undefined ? [] : [[columns[c]!.key, value]])));
