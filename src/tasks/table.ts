/** The table of results: tasks down, models across, averages as the paper takes them. */
import type { PublishedColumns, PublishedSystems } from "./registry.ts";
import { type Figure, GROUPS, type Group, type Task } from "./schema.ts";

/** A model's figures in per cent, by `figureKey`. */
export interface Column {
  readonly key: string;
  readonly title: string;
  /** Of its training: columns of one key are one column of the table, with their mean and spread. */
  readonly seed?: number | undefined;
  readonly values: ReadonlyMap<string, number>;
  /** Bounds of bootstrap intervals, where there are. */
  readonly intervals?: ReadonlyMap<string, readonly [low: number, high: number]> | undefined;
  /** Figures that were measured once for all seeds: they have no spread. */
  readonly once?: ReadonlySet<string> | undefined;
}

/** One row: a figure of a task, or an average. */
export interface Row {
  readonly title: string;
  /** What it is: a figure's metric, or "average". */
  readonly metric: string;
  readonly group: Group | "macro";
  /** Per cent by column, in their order; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
  /** Standard deviations over seeds (n − 1), in the order of the columns; undefined where there is one seed. */
  readonly spreads?: readonly (number | undefined)[] | undefined;
  /** Bootstrap intervals, in the order of the columns; none of those of several seeds. */
  readonly intervals?: readonly (readonly [low: number, high: number] | undefined)[] | undefined;
  readonly average: boolean;
}

/** A finished table. */
export interface ResultTable {
  readonly columns: readonly { readonly key: string; readonly title: string }[];
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

/** What a table says besides its figures. */
export interface TableOptions {
  readonly notes?: readonly string[];
  /** Groups that get an average; all unless given. */
  readonly averaged?: readonly Group[];
}

/** "mnli/mean": a figure's name in a column. */
export const figureKey = (task: Task, figure: Figure): string => `${task.name}/${figure.metric}`;

/** The columns of the paper's table 4, misprints read as they are meant, and what was read otherwise than printed. */
export function publishedTable(
  tasks: readonly Task[],
  { columns }: PublishedColumns,
): { columns: Column[]; notes: string[] } {
  const notes: string[] = [];
  const made = Object.entries(columns).map(([key, { title, data }]) => {
    const values = new Map<string, number>();
    for (const task of tasks)
      for (const figure of task.figures) {
        const value = figure.published[key];
        if (value === undefined) continue;
        values.set(figureKey(task, figure), typeof value === "number" ? value : value.read);
        if (typeof value !== "number")
          notes.push(`${task.title}, ${title}: printed as ${value.printed}, read as ${value.read}: ${value.why}`);
      }
    return { key, title: `${title} (${data})`, values };
  });
  return { columns: made, notes };
}

/** The paper's table 5 as columns; MRPC and QQP are means of accuracy and F1, and in `notes` where one of them is not given. */
export function systemColumns(
  tasks: readonly Task[],
  { systems }: PublishedSystems,
): { columns: Column[]; notes: string[] } {
  const notes: string[] = [];
  const columns = Object.entries(systems).map(([title, figures]) => {
    const values = new Map<string, number>();
    for (const task of tasks) {
      const value = figures[task.name];
      if (value === undefined) continue;
      const key = figureKey(task, task.figures[0]!);
      if (typeof value === "number") values.set(key, value);
      else if (value.f1 !== undefined) values.set(key, (value.accuracy + value.f1) / 2);
      else notes.push(`${task.title}, ${title}: accuracy ${value.accuracy.toFixed(2)}, no F1 is given.`);
    }
    return { key: title, title, values };
  });
  return { columns, notes };
}

/**
 * Columns of several seeds become one: the mean, and how far the seeds spread; an average is taken for each seed first.
 * A group's average is the plain mean of its rows, and given where a column has all of them; the macro average is the sum of the three over
 * three, a group without a single value counting 0 (table 4 of the paper).
 */
export function resultTable(
  tasks: readonly Task[],
  given: readonly Column[],
  { notes = [], averaged = GROUPS }: TableOptions = {},
): ResultTable {
  const columns = given
    .map((column, c) => ({ ...column, c }))
    .sort((a, b) => first(given, a) - first(given, b) || a.c - b.c);
  const rows: SeedRow[] = [];
  const averages = new Map<Group, (number | undefined)[]>();
  for (const group of GROUPS) {
    const own = tasks.filter((task) => task.group === group).flatMap((task) => figureRows(task, columns));
    if (own.length === 0) continue;
    const values = columns.map((_, c) => meanOfAll(own.map((row) => row.values[c])));
    rows.push(...own);
    if (!averaged.includes(group)) continue;
    averages.set(group, values);
    rows.push({ title: `${GROUP_TITLES[group]} average`, metric: "average", group, values, average: true });
  }
  if (averages.size === GROUPS.length) rows.push(macroRow(rows, averages, columns));
  return overSeeds(columns, rows, notes);
}

/** A row before seeds become one column. */
interface SeedRow extends Row {
  /** By column: whether the figure was measured once for all seeds. */
  readonly once?: readonly boolean[];
}

const first = (columns: readonly Column[], { key }: Column): number => columns.findIndex((one) => one.key === key);

/** One column for each key. Columns of one key stand together. */
function overSeeds(columns: readonly Column[], rows: readonly SeedRow[], notes: readonly string[]): ResultTable {
  const groups = [...new Map(columns.map((column) => [column.key, column])).values()].map(({ key, title }) => ({
    ...{ key, title },
    places: columns.flatMap((column, c) => (column.key === key ? [c] : [])),
  }));
  const names = groups.map(({ key, title }) => ({ key, title }));
  if (groups.length === columns.length) return { columns: names, rows: rows.map(({ once: _, ...row }) => row), notes };
  const folded = rows.map(({ values, intervals, once, ...row }) => {
    const found = groups.map(({ places }) => places.flatMap((c) => values[c] ?? []));
    const spreads = groups.map(({ places }, g) => (once?.[places[0]!] ? undefined : spreadOf(found[g]!)));
    const own = groups.map(({ places }) => (places.length === 1 ? intervals?.[places[0]!] : undefined));
    return { ...row, values: found.map(meanOf), spreads, ...(intervals && { intervals: own }) };
  });
  const lacking = groups.flatMap(({ title, places }) => {
    const some = rows.filter(({ values }) => {
      const there = places.filter((c) => values[c] !== undefined).length;
      return there > 0 && there < places.length;
    });
    return some.length > 0
      ? [`${title}: not all of its ${places.length} seeds in ${some.map(({ title }) => title).join(", ")}.`]
      : [];
  });
  const counts = groups.map(({ title, places }) => `${title} ${places.length}`).join(", ");
  return {
    columns: names,
    rows: folded,
    notes: [`Mean ± standard deviation over seeds: ${counts}.`, ...lacking, ...notes],
  };
}

const meanOf = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard deviation of a sample. */
function spreadOf(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const mean = meanOf(values)!;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

const GROUP_TITLES: Readonly<Record<Group, string>> = { nlp: "NLP", vision: "Vision", multimodal: "Multimodal" };

const figureRows = (task: Task, columns: readonly Column[]): SeedRow[] =>
  task.figures.map((figure) => ({
    title: figure.label ?? task.title,
    metric: figure.of ? `mean of ${figure.of.join(" and ")}` : figure.metric,
    group: task.group,
    values: columns.map(({ values }) => values.get(figureKey(task, figure))),
    intervals: columns.map(({ intervals }) => intervals?.get(figureKey(task, figure))),
    once: columns.map(({ once }) => once?.has(figureKey(task, figure)) ?? false),
    average: false,
  }));

function meanOfAll(values: readonly (number | undefined)[]): number | undefined {
  return values.some((value) => value === undefined) ? undefined : meanOf(values as number[]);
}

/** Undefined where a group is there in part only. */
function macroRow(
  rows: readonly Row[],
  averages: ReadonlyMap<Group, (number | undefined)[]>,
  columns: readonly Column[],
): Row {
  const values = columns.map((_, c) => {
    let sum = 0;
    let groups = 0;
    for (const [group, found] of averages) {
      const some = rows.some((row) => row.group === group && !row.average && row.values[c] !== undefined);
      if (!some) continue;
      if (found[c] === undefined) return undefined;
      sum += found[c];
      groups++;
    }
    return groups === 0 ? undefined : sum / GROUPS.length;
  });
  return { title: "Macro average", metric: "average", group: "macro", values, average: true };
}

/** Whether a value is the greatest of its row, ties included, in a row of two values or more. */
export function isBest({ values }: Row, c: number): boolean {
  const there = values.filter((value) => value !== undefined);
  return there.length > 1 && values[c] !== undefined && values[c] === Math.max(...there);
}
