/** Cells of the table: what a model scored on a task, one JSON file each, with the keys of CLIP_benchmark. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../errors.ts";
import { type Json, type JsonObject, readJson, saveJson, statOf } from "../io/index.ts";
import type { Task } from "./schema.ts";
import { type Column, figureKey } from "./table.ts";

/** What a model scored on a task. */
export interface Cell {
  /** Name of the task. */
  readonly dataset: string;
  readonly model: string;
  /** Where its weights come from. */
  readonly pretrained: string;
  /** How it was measured. */
  readonly task: string;
  readonly language: string;
  /** Of its training, where several trainings of one model are compared: the table has their mean and spread. */
  readonly seed?: number | undefined;
  /** In 0..1, −1..1 for correlations; null where one is not defined. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** 95 % bootstrap intervals of metrics, by their names. */
  readonly interval?: Readonly<Record<string, Bounds>> | undefined;
  /** Fingerprint of the weights; null where it is not known. */
  readonly weights?: string | null | undefined;
  /** What else decided the figures: seed, data, settings, prompts. */
  readonly protocol?: JsonObject | undefined;
  /** Of retrieval: how many candidates were put in order anew. */
  readonly rerank?: { readonly k: number } | undefined;
}

/** Of an interval; null where a figure was defined on no resample. */
export interface Bounds {
  readonly low: number | null;
  readonly high: number | null;
}

const cellSchema: z.ZodType<Cell> = z.looseObject({
  dataset: z.string(),
  model: z.string(),
  pretrained: z.string(),
  task: z.string(),
  language: z.string(),
  seed: z.int().nonnegative().optional(),
  metrics: z.record(z.string(), z.number().nullable()),
  interval: z.record(z.string(), z.looseObject({ low: z.number().nullable(), high: z.number().nullable() })).optional(),
  weights: z.string().nullable().optional(),
  protocol: z.record(z.string(), z.json() as z.ZodType<Json>).optional(),
  rerank: z.looseObject({ k: z.int().positive() }).optional(),
});

/** The file of a cell. */
export const cellPath = (
  folder: string,
  { dataset, model, seed, task }: Pick<Cell, "dataset" | "model" | "seed" | "task">,
): string => {
  const of = seed === undefined ? model : `${model}-seed-${seed}`;
  return join(folder, `${dataset}_${of.replace(/[^\w.-]+/g, "-")}_${task}.json`);
};

/** Writes a cell, whole or not at all. */
export const saveCell = (folder: string, cell: Cell): Promise<void> => saveJson(cellPath(folder, cell), cell);

/** Reads cells: files, and all JSON files of folders. Throws DataError for one that is no cell. */
export async function readCells(paths: readonly string[]): Promise<Cell[]> {
  const files: string[] = [];
  for (const path of paths) {
    const stat = await statOf(path);
    if (stat?.isDirectory())
      files.push(
        ...(await readdir(path))
          .filter((name) => name.endsWith(".json"))
          .sort()
          .map((name) => join(path, name)),
      );
    else files.push(path);
  }
  return Promise.all(files.map(readCell));
}

async function readCell(path: string): Promise<Cell> {
  const parsed = cellSchema.safeParse(await readJson(path));
  if (!parsed.success)
    throw new DataError(`${path}: expected a result of flava eval: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Before the names of recalls whose first candidates the matching head has put in order. */
export const RERANKED = "reranked_";

interface Filled extends Column {
  readonly once: Set<string>;
  readonly values: Map<string, number>;
  readonly intervals: Map<string, readonly [number, number]>;
}

const emptyColumn = (model: string, seed: number | undefined): Filled => ({
  ...{ key: model, title: model, seed },
  ...{ values: new Map(), intervals: new Map(), once: new Set() },
});

/** What a figure of the table is called in a cell of CLIP_benchmark's linear probe. */
const PROBE_NAMES: Readonly<Record<string, string>> = {
  accuracy: "lp_acc1",
  mean_per_class_recall: "lp_mean_per_class_recall",
};

/**
 * A column for each model and seed, in the order in which they come, in per cent; recalls after re-ranking have one of their own. Cells of
 * other tasks are named in `left`; so are zero-shot classifications, which the table does not have. What was measured without a seed stands
 * in the columns of all seeds of its model; where those have it themselves it is named in `doubled`. Throws DataError for a figure that is
 * not between -1 and 1.
 */
export function cellColumns(
  tasks: readonly Task[],
  given: readonly Cell[],
): { columns: Column[]; left: string[]; doubled: string[] } {
  const cells = given.flatMap((cell) => [cell, ...rerankedOf(cell)]);
  const columns = new Map<string, Filled>();
  const left: string[] = [];
  for (const { dataset, model, seed, metrics, interval, task: measure } of cells) {
    const task = measure === "zeroshot_classification" ? undefined : tasks.find(({ name }) => name === dataset);
    const id = JSON.stringify([model, seed]);
    const column = columns.get(id) ?? emptyColumn(model, seed);
    const { values, intervals } = column;
    columns.set(id, column);
    if (!task) left.push(`${dataset} (${measure}) of ${model}`);
    for (const figure of task?.figures ?? []) {
      const names = (figure.of ?? [figure.metric]).map((metric) =>
        metrics[metric] === undefined ? (PROBE_NAMES[metric] ?? metric) : metric,
      );
      const found = names.map((name) => metrics[name]);
      const bounds = names.length === 1 ? interval?.[names[0]!] : undefined;
      if (typeof bounds?.low === "number" && typeof bounds.high === "number")
        intervals.set(figureKey(task!, figure), [100 * bounds.low, 100 * bounds.high]);
      if (found.some((value) => value === undefined || value === null)) continue;
      const beyond = found.find((value, i) => Math.abs(value!) > 1 && !names[i]!.includes("rmse"));
      if (beyond !== undefined)
        throw new DataError(
          `${dataset} (${measure}) of ${model}: expected ${names.join(" and ")} from -1 to 1, got ${beyond}`,
          "cells have shares, not per cent",
        );
      values.set(figureKey(task!, figure), (100 * (found as number[]).reduce((a, b) => a + b, 0)) / found.length);
    }
  }
  return { ...overAllSeeds([...columns.values()]), left };
}

/** Columns without a seed, put into those of the same model that have one. */
function overAllSeeds(columns: readonly Filled[]): { columns: Column[]; doubled: string[] } {
  const doubled: string[] = [];
  const kept = columns.filter((bare) => {
    const seeded = columns.filter(({ key, seed }) => key === bare.key && seed !== undefined);
    if (bare.seed !== undefined || seeded.length === 0) return true;
    for (const [figure, value] of bare.values)
      if (seeded.some(({ values, once }) => values.has(figure) && !once.has(figure)))
        doubled.push(`${figure} of ${bare.title}`);
      else for (const { values, once } of seeded) once.add(figure) && values.set(figure, value);
    return false;
  });
  return { columns: kept, doubled };
}

function rerankedOf(cell: Cell): Cell[] {
  const own = Object.entries(cell.metrics).filter(([name]) => name.startsWith(RERANKED));
  if (own.length === 0) return [];
  const strip = <T>(entries: readonly (readonly [string, T])[]): Record<string, T> =>
    Object.fromEntries(entries.map(([name, value]) => [name.slice(RERANKED.length), value]));
  const intervals = Object.entries(cell.interval ?? {}).filter(([name]) => name.startsWith(RERANKED));
  return [{ ...cell, model: `${cell.model}, re-ranked`, metrics: strip(own), interval: strip(intervals) }];
}
