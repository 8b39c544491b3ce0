/** A table of results as Markdown, CSV or JSON. */
import { isBest, type ResultTable } from "./table.ts";

const shown = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(2));

/** Best of a row in bold, averages in bold titles. */
export function markdownTable(table: ResultTable): string {
  const head = ["task", "metric", ...table.columns.map(({ title }) => title)];
  const lines = table.rows.map((row) => [
    row.average ? `**${row.title}**` : row.title,
    row.average ? "" : row.metric,
    ...row.values.map((value, c) => (isBest(row, c) ? `**${shown(value)}**` : shown(value))),
  ]);
  const rule = head.map((_, i) => (i < 2 ? "---" : "---:"));
  const text = [head, rule, ...lines].map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`);
  return [...text, ...table.notes.map((note) => `\n${note}`)].join("\n");
}

const escapeCell = (text: string): string => text.replaceAll("|", "\\|");

/** RFC 4180; an empty cell where there is no value. */
export function csvTable(table: ResultTable): string {
  const head = ["task", "metric", "group", ...table.columns.map(({ title }) => title)];
  const lines = table.rows.map((row) => [
    row.title,
    row.metric,
    row.group,
    ...row.values.map((value) => (value === undefined ? "" : String(Math.round(value * 1e6) / 1e6))),
  ]);
  return [head, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n");
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
