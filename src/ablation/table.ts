/** The table of an ablation's folder. */
import { join } from "node:path";
import { saveFile, statOf } from "../io/index.ts";
import {
  cellColumns,
  csvTable,
  htmlTable,
  markdownTable,
  type ResultTable,
  readCells,
  resultTable,
} from "../tasks/index.ts";
import { curveChart } from "./curves.ts";
import type { AblationRecord } from "./record.ts";

/** The folder of its cells. */
export const CELLS = "cells";

/** Columns in the order of the record, those without a cell too; the cells of all seeds that there are. */
export async function ablationTable(out: string, { columns, tasks, samples }: AblationRecord): Promise<ResultTable> {
  const folder = join(out, CELLS);
  const own = cellColumns(tasks, (await statOf(folder)) ? await readCells([folder]) : []);
  const found = columns.flatMap(({ key, title }) => {
    const some = own.columns.filter((column) => column.key === key).map((column) => ({ ...column, title }));
    return some.length > 0 ? some : [{ key, title, values: new Map<string, number>() }];
  });
  const others = own.columns.filter(({ key }) => !columns.some((column) => column.key === key));
  const notes = [
    `Every column saw ${samples.toLocaleString("en-US")} samples in the stage that is compared.`,
    ...columns.flatMap(({ about, gaps }) => [about, ...gaps]),
  ];
  return resultTable(tasks, [...found, ...others], { notes });
}

/** Writes table.md, table.csv and table.html, and curves.svg where the ablation has curves. Resolves to their paths. Throws FileError. */
export async function writeTables(out: string, table: ResultTable, record: AblationRecord): Promise<string[]> {
  const { difference } = record;
  const curves = curveChart(table, record);
  const there = difference?.every((key) => table.columns.some((column) => column.key === key)) ? difference : undefined;
  const files = {
    "table.md": markdownTable(table),
    "table.csv": csvTable(table),
    "table.html": htmlTable(table, { difference: there, ...(curves && { charts: curves }) }),
    ...(curves && { "curves.svg": curves }),
  };
  const paths: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    paths.push(join(out, name));
    await saveFile(join(out, name), `${text}\n`);
  }
  return paths;
}
