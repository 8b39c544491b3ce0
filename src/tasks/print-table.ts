/** A table of results as Markdown, CSV or JSON. */
import { isBest, type ResultTable, type Row } from "./table.ts";

const shown = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(2));

/** What stands beside the values. */
export interface PrintOptions {
  /** Bootstrap intervals of 95 %, where the cells have them. */
  readonly intervals?: boolean | undefined;
}

/** Behind a value: how far seeds spread, and the interval, where it is wanted. */
export function behind({ spreads, intervals }: Row, c: number, wanted: PrintOptions): string {
  const [spread, bounds] = [spreads?.[c], wanted.intervals ? intervals?.[c] : undefined];
  const width = spread === undefined ? "" : ` ± ${spread.toFixed(2)}`;
  return bounds ? `${width} [${bounds[0].toFixed(2)}, ${bounds[1].toFixed(2)}]` : width;
}

/** Best of a row in bold, averages in bold titles. */
export function markdownTable(table: ResultTable, options: PrintOptions = {}): string {
  const head = ["task", "metric", ...table.columns.map(({ title }) => title)];
  const lines = table.rows.map((row) => [
    row.average ? `**${row.title}**` : row.title,
    row.average ? "" : row.metric,
    ...row.values.map(
      (value, c) => `${isBest(row, c) ? `**${shown(value)}**` : shown(value)}${behind(row, c, options)}`,
    ),
  ]);
  const rule = head.map((_, i) => (i < 2 ? "---" : "---:"));
  const text = [head, rule, ...lines].map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`);
  return [...text, ...table.notes.map((note) => `\n${note}`)].join("\n");
}

const escapeCell = (text: string): string => text.replaceAll("|", "\\|");

/** RFC 4180; an empty cell where there is no value. Spreads over seeds and bounds have columns of their own, behind all values. */
export function csvTable(table: ResultTable, { intervals = false }: PrintOptions = {}): string {
  const spread = table.columns.map((_, c) => table.rows.some((row) => row.spreads?.[c] !== undefined));
  const bounded = table.columns.map((_, c) => intervals && table.rows.some((row) => row.intervals?.[c]));
  const some = <T>(values: readonly T[], which: readonly boolean[]): T[] => values.filter((_, c) => which[c]);
  const titles = table.columns.map(({ title }) => title);
  const bounds = some(titles, bounded).flatMap((title) => [`${title} low`, `${title} high`]);
  const head = ["task", "metric", "group", ...titles, ...some(titles, spread).map((title) => `${title} ±`), ...bounds];
  const number = (value: number | undefined): string =>
    value === undefined ? "" : String(Math.round(value * 1e6) / 1e6);
  const lines = table.rows.map((row) => [
    row.title,
    row.metric,
    row.group,
    ...row.values.map(number),
    ...some(
      titles.map((_, c) => row.spreads?.[c]),
      spread,
    ).map(number),
    ...some(
      titles.map((_, c) => row.intervals?.[c] ?? [undefined, undefined]),
      bounded,
    )
      .flat()
      .map(number),
  ]);
  return [head, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n");
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
