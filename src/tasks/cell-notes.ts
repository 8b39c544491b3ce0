/** What cells of one table do not have in common though a reader takes it for granted. */
import type { Cell } from "./results.ts";

/** Sentences: of what was measured twice, of columns of several weights, and of tasks whose test data differ from column to column. */
export function cellNotes(cells: readonly Cell[]): string[] {
  const places = groups(cells, ({ dataset, task, model, seed }) => [dataset, task, model, seed]);
  const twice = places
    .filter(({ length }) => length > 1)
    .map(([{ dataset, task, model }]) => `${dataset} (${task}) of ${model}`);
  const columns = groups(cells, ({ model, seed }) => [model, seed]);
  const mixed = columns.filter((some) => different(some, hashOf)).map(([{ model }]) => model);
  const tests = groups(cells, ({ dataset, task }) => [dataset, task]);
  const apart = tests.filter((some) => different(some, testOf)).map(([{ dataset, task }]) => `${dataset} (${task})`);
  return [
    ...said("Measured more than once, the last in the order of files counts", twice),
    ...said("Cells of different weights stand in one column", mixed),
    ...said("Columns were measured on different test data", apart),
  ];
}

const said = (what: string, names: readonly string[]): string[] =>
  names.length > 0 ? [`${what}: ${[...new Set(names)].join(", ")}.`] : [];

const testOf = ({ protocol }: Cell): unknown =>
  (protocol?.splits as Readonly<Record<string, unknown>> | undefined)?.test;

/** Of weights that are a file's; others say in words where they come from. */
const hashOf = ({ weights }: Cell): unknown => (/^[0-9a-f]{16}$/.test(weights ?? "") ? weights : undefined);

/** Whether those that say it say different things. */
const different = (cells: readonly Cell[], of: (cell: Cell) => unknown): boolean =>
  new Set(
    cells
      .map(of)
      .filter((value) => value !== undefined && value !== null)
      .map((value) => JSON.stringify(value)),
  ).size > 1;

type Group = readonly [Cell, ...Cell[]];

function groups(cells: readonly Cell[], keyOf: (cell: Cell) => readonly unknown[]): Group[] {
  const found = new Map<string, [Cell, ...Cell[]]>();
  for (const cell of cells) {
    const key = JSON.stringify(keyOf(cell));
    const own = found.get(key);
    if (own) own.push(cell);
    else found.set(key, [cell]);
  }
  return [...found.values()];
}
