/** A table of results as one page of HTML, without script or network. */
import { NameError } from "../errors.ts";
import { type Html, html, raw } from "../report/html.ts";
import { nearest } from "../tensor/index.ts";
import { behind, type PrintOptions } from "./print-table.ts";
import { isBest, type ResultTable, type Row } from "./table.ts";

const STYLE = `:root{color-scheme:light dark;--ink:#1c1c1c;--muted:#6b6b6b;--line:#ddd;--paper:#fff;--more:#2a7f4f;--less:#b3452c}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--muted:#a0a0a0;--line:#3a3a3a;--paper:#171717;--more:#5bbd86;--less:#e58468}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:72rem;padding:0 1rem}
div{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
td:nth-child(2){text-align:left;color:var(--muted)}tr.average td{border-bottom:2px solid var(--muted);font-style:italic}
p{color:var(--muted)}svg{width:100%;max-width:44rem;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}`;

/** What a page has beside the table. */
export interface PageOptions extends PrintOptions {
  readonly difference?: readonly [string, string] | undefined;
  /** An SVG. */
  readonly charts?: string | undefined;
}

/** `difference`: two columns by key or title; a chart shows the first less the second. Throws NameError for one that is not there. */
export function htmlTable(table: ResultTable, { difference, charts, ...options }: PageOptions = {}): string {
  const head = ["task", "metric", ...table.columns.map(({ title }) => title)];
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Results on the tasks</title><style>${raw(STYLE)}</style></head><body>
<h1>Results on the tasks</h1>
<p>Per cent; best of a row in bold. An average is given where all of its rows are there.</p>
<div><table><thead><tr>${head.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>
${table.rows.map((row) => tableRow(row, options))}</tbody></table></div>
${difference && differenceChart(table, difference)}
${charts && raw(charts)}
${table.notes.map((note) => html`<p>${note}</p>\n`)}</body></html>`;
  return page.markup;
}

function tableRow(row: Row, options: PrintOptions): Html {
  const cells = row.values.map((value, c) => {
    const text = value === undefined ? "–" : value.toFixed(2);
    return html`<td>${isBest(row, c) ? html`<b>${text}</b>` : text}${behind(row, c, options)}</td>`;
  });
  const { title, metric, average } = row;
  return html`<tr${average && raw(' class="average"')}><td>${title}</td><td>${!average && metric}</td>${cells}</tr>\n`;
}

/** Height of a bar with its gap, and where names end and the widest bar may reach. */
const [STEP, LEFT, WIDTH] = [18, 160, 620];

function differenceChart(table: ResultTable, names: readonly [string, string]): Html {
  const [a, b] = names.map((name) => columnOf(table, name)) as [number, number];
  const bars = table.rows
    .filter((row) => !row.average && row.values[a] !== undefined && row.values[b] !== undefined)
    .map((row) => ({ title: row.title, by: row.values[a]! - row.values[b]! }))
    .sort((x, y) => y.by - x.by);
  const [least, most] = [Math.min(0, ...bars.map(({ by }) => by)), Math.max(0, ...bars.map(({ by }) => by))];
  const scale = (WIDTH - LEFT - 60) / (most - least || 1);
  const zero = LEFT + 30 - least * scale;
  const drawn = bars.map(({ title, by }, i) => {
    const [y, end, length] = [i * STEP, zero + by * scale, Math.abs(by) * scale];
    const label = by < 0 ? html`x="${end - 4}" text-anchor="end"` : html`x="${end + 4}"`;
    return html`<text x="0" y="${y + 13}">${title}</text>
<rect x="${Math.min(zero, end)}" y="${y + 3}" width="${length}" height="12" fill="var(--${by < 0 ? "less" : "more"})"/>
<text ${label} y="${y + 13}">${by.toFixed(1)}</text>
`;
  });
  const title = `${table.columns[a]!.title} less ${table.columns[b]!.title}`;
  const height = bars.length * STEP;
  return html`<h2>${title}</h2>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}, by task">
${drawn}<line x1="${zero}" x2="${zero}" y1="0" y2="${height}" stroke="var(--muted)"/></svg>`;
}

function columnOf({ columns }: ResultTable, name: string): number {
  const found = columns.findIndex(({ key, title }) => key === name || title === name);
  if (found >= 0) return found;
  const keys = columns.map(({ key }) => key);
  throw new NameError(`column "${name}" does not exist`, nearest(name, keys));
}
