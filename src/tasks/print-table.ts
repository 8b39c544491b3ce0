/** A table of results as Markdown, CSV or JSON. */
import { isBest, type ResultTable } from "./table.ts";

const shown = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(2));

/** Behind a value that is the mean over seeds. */
export const spreadText = (spread: number | undefined): string =>
  spread === undefined ? "" : ` ± ${spread.toFixed(2)}`;

/** Best of a row in bold, averages in bold titles. */
export function markdownTable(table: ResultTable): string {
  const head = ["task", "metric", ...table.columns.map(({ title }) => title)];
  const lines = table.rows.map((row) => [
    row.average ? `**${row.title}**` : row.title,
    row.average ? "" : row.metric,
    ...row.values.map(
      (value, c) => `${isBest(row, c) ? `**${shown(value)}**` : shown(value)}${spreadText(row.spreads?.[c])}`,
    ),
  ]);
  const rule = head.map((_, i) => (i < 2 ? "---" : "---:"));
  const text = [head, rule, ...lines].map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`);
  return [...text, ...table.notes.map((note) => `\n${note}`)].join("\n");
}

const escapeCell = (text: string): string => text.replaceAll("|", "\\|");

/** RFC 4180; an empty cell where there is no value. Spreads over seeds have columns of their own, behind all values. */
export function csvTable(table: ResultTable): string {
  const spread = table.columns.map((_, c) => table.rows.some((row) => row.spreads?.[c] !== undefined));
  const some = <T>(values: readonly T[]): T[] => values.filter((_, c) => spread[c]);
  const titles = table.columns.map(({ title }) => title);
  const head = ["task", "metric", "group", ...titles, ...some(titles).map((title) => `${title} ±`)];
  const number = (value: number | undefined): string =>
    value === undefined ? "" : String(Math.round(value * 1e6) / 1e6);
  const lines = table.rows.map((row) => [
    row.title,
    row.metric,
    row.group,
    ...row.values.map(number),
    ...some(titles.map((_, c) => row.spreads?.[c])).map(number),
  ]);
  return [head, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n");
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
