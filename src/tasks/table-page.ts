/** A table of results as one page of HTML, without script or network. */
import { NameError } from "../errors.ts";
import { nearest } from "../tensor/index.ts";
import { isBest, type ResultTable, type Row } from "./table.ts";

const STYLE = `:root{color-scheme:light dark;--ink:#1c1c1c;--muted:#6b6b6b;--line:#ddd;--paper:#fff;--more:#2a7f4f;--less:#b3452c}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--muted:#a0a0a0;--line:#3a3a3a;--paper:#171717;--more:#5bbd86;--less:#e58468}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:72rem;padding:0 1rem}
div{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
td:nth-child(2){text-align:left;color:var(--muted)}tr.average td{border-bottom:2px solid var(--muted);font-style:italic}
p{color:var(--muted)}svg{width:100%;max-width:44rem;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}`;

/** `difference`: two columns by key or title; a chart shows the first less the second. */
export function htmlTable(table: ResultTable, difference?: readonly [string, string]): string {
  const head = ["task", "metric", ...table.columns.map(({ title }) => title)];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Results on the 35 tasks</title><style>${STYLE}</style></head><body>
<h1>Results on the tasks</h1>
<p>Per cent; best of a row in bold. An average is given where all of its rows are there.</p>
<div><table><thead><tr>${head.map((title) => `<th scope="col">${escaped(title)}</th>`).join("")}</tr></thead><tbody>
${table.rows.map(tableRow).join("\n")}
</tbody></table></div>
${difference ? differenceChart(table, difference) : ""}
${table.notes.map((note) => `<p>${escaped(note)}</p>`).join("\n")}
</body></html>`;
}

function tableRow(row: Row): string {
  const cells = row.values.map((value, c) => {
    const text = value === undefined ? "–" : value.toFixed(2);
    return `<td>${isBest(row, c) ? `<b>${text}</b>` : text}</td>`;
  });
  const metric = row.average ? "" : escaped(row.metric);
  return `<tr${row.average ? ' class="average"' : ""}><td>${escaped(row.title)}</td><td>${metric}</td>${cells.join("")}</tr>`;
}

/** Height of a bar with its gap, and where names end and the widest bar may reach. */
const [STEP, LEFT, WIDTH] = [18, 160, 620];

function differenceChart(table: ResultTable, names: readonly [string, string]): string {
  const [a, b] = names.map((name) => columnOf(table, name)) as [number, number];
  const bars = table.rows
    .filter((row) => !row.average && row.values[a] !== undefined && row.values[b] !== undefined)
    .map((row) => ({ title: row.title, by: row.values[a]! - row.values[b]! }))
    .sort((x, y) => y.by - x.by);
  const widest = Math.max(1e-9, ...bars.map(({ by }) => Math.abs(by)));
  const least = Math.min(0, ...bars.map(({ by }) => by));
  const scale = (WIDTH - LEFT - 60) / (Math.max(0, ...bars.map(({ by }) => by)) - least || widest);
  const zero = LEFT + 30 - least * scale;
  const drawn = bars.map(({ title, by }, i) => {
    const x = by < 0 ? zero + by * scale : zero;
    const fill = by < 0 ? "var(--less)" : "var(--more)";
    const y = i * STEP;
    const label = by < 0 ? `x="${x - 4}" text-anchor="end"` : `x="${x + by * scale + 4}"`;
    return `<text x="0" y="${y + 13}">${escaped(title)}</text><rect x="${x}" y="${y + 3}" width="${Math.abs(by) * scale}" height="12" fill="${fill}"/><text ${label} y="${y + 13}">${by.toFixed(1)}</text>`;
  });
  const title = `${table.columns[a]!.title} less ${table.columns[b]!.title}`;
  return `<h2>${escaped(title)}</h2>
<svg viewBox="0 0 ${WIDTH} ${bars.length * STEP}" role="img" aria-label="${escaped(title)}, by task">${drawn.join("")}<line x1="${zero}" x2="${zero}" y1="0" y2="${bars.length * STEP}" stroke="var(--muted)"/></svg>`;
}

function columnOf({ columns }: ResultTable, name: string): number {
  const found = columns.findIndex(({ key, title }) => key === name || title === name);
  if (found < 0)
    throw new NameError(
      `column "${name}" does not exist`,
      nearest(
        name,
        columns.map(({ key }) => key),
      ),
    );
  return found;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
