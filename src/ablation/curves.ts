/** Figures over columns that are points of lines, as one SVG that stands by itself: a chart for each figure, its lines in up to four colours. */
import { figureKey, type ResultTable, type Row } from "../tasks/index.ts";
import type { AblationRecord } from "./record.ts";

/** Of a chart, and what is kept free around its lines. */
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [300, 210, 40, 74, 30, 34];
const ACROSS = 3;

const STYLE = `svg{color-scheme:light dark;--ink:#1c1c1c;--muted:#6b6b6b;--grid:#ddd;--c0:#2a6fb0;--c1:#b3452c;--c2:#2a7f4f;--c3:#7a4fa3}
@media(prefers-color-scheme:dark){svg{--ink:#eee;--muted:#a0a0a0;--grid:#444;--c0:#6fb1ee;--c1:#e58468;--c2:#5bbd86;--c3:#b795dd}}
text{font:11px system-ui,sans-serif;fill:var(--muted)}text.title{font-weight:600;font-size:12px;fill:var(--ink)}`;

interface Line {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly value: number; readonly spread: number | undefined }[];
}

/** The chart; undefined where the ablation has no curves, or none of their figures is measured yet. */
export function curveChart(table: ResultTable, { columns, tasks, curves }: AblationRecord): string | undefined {
  if (!curves) return undefined;
  const points = new Map(columns.flatMap(({ key, point }) => (point ? [[key, point] as const] : [])));
  const charts = curves.figures.flatMap((figure) => {
    const row = rowOf(table, tasks, figure);
    const lines = row ? linesOf(table, row, points) : [];
    return lines.length > 0 ? [{ title: row!.title, lines }] : [];
  });
  if (charts.length === 0) return undefined;
  const [across, down] = [Math.min(ACROSS, charts.length), Math.ceil(charts.length / ACROSS)];
  const drawn = charts.map(({ title, lines }, i) => {
    const place = `translate(${(i % ACROSS) * WIDTH} ${Math.floor(i / ACROSS) * HEIGHT})`;
    return `<g transform="${place}">${chart(title, lines, curves.by)}</g>`;
  });
  const label = `${charts.map(({ title }) => title).join("; ")}, by ${curves.by}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${across * WIDTH} ${down * HEIGHT}" role="img" aria-label="${escaped(label)}"><style>${STYLE}</style>
${drawn.join("\n")}</svg>`;
}

function rowOf({ rows }: ResultTable, tasks: AblationRecord["tasks"], wanted: string): Row | undefined {
  for (const task of tasks)
    for (const figure of task.figures)
      if (figureKey(task, figure) === wanted) return rows.find(({ title }) => title === (figure.label ?? task.title));
  return undefined;
}

function linesOf(
  { columns }: ResultTable,
  { values, spreads }: Row,
  points: ReadonlyMap<string, { readonly line: string; readonly at: number }>,
): Line[] {
  const lines = new Map<string, Line["points"][number][]>();
  for (const [c, { key }] of columns.entries()) {
    const [point, value] = [points.get(key), values[c]];
    if (!point || value === undefined) continue;
    lines.set(point.line, [...(lines.get(point.line) ?? []), { at: point.at, value, spread: spreads?.[c] }]);
  }
  return [...lines].map(([name, own]) => ({ name, points: own.toSorted((a, b) => a.at - b.at) }));
}

/** Logarithmic to the right, from 0 upwards; a bar at each point is the deviation over seeds. */
function chart(title: string, lines: readonly Line[], by: string): string {
  const all = lines.flatMap(({ points }) => points);
  const ats = [...new Set(all.map(({ at }) => at))].sort((a, b) => a - b);
  const most = nice(Math.max(...all.map(({ value, spread = 0 }) => value + spread)));
  const [first, last] = [Math.log(ats[0]!), Math.log(ats.at(-1)!)];
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  const x = (at: number): number =>
    round(LEFT + (right - LEFT) * (first === last ? 0.5 : (Math.log(at) - first) / (last - first)));
  const y = (value: number): number => round(bottom - ((bottom - TOP) * value) / most);
  const text = (at: readonly [number, number], words: string, more = ""): string =>
    `<text x="${at[0]}" y="${at[1]}"${more}>${escaped(words)}</text>`;
  const grid = [0, 0.5, 1].map((share) => {
    const level = y(share * most);
    return `<line x1="${LEFT}" x2="${right}" y1="${level}" y2="${level}" stroke="var(--grid)"/>${text([LEFT - 6, level + 4], String(round(share * most)), ' text-anchor="end"')}`;
  });
  return [
    text([LEFT, 16], title, ' class="title"'),
    ...grid,
    ...ats.map((at) => text([x(at), bottom + 15], at.toLocaleString("en-US"), ' text-anchor="middle"')),
    text([(LEFT + right) / 2, bottom + 30], by, ' text-anchor="middle"'),
    ...lines.map((line, i) => drawnLine(line, `var(--c${i % 4})`, { x, y })),
    ...endLabels(lines, y).map(({ name, at, i }) => text([right + 8, at], name, ` style="fill:var(--c${i % 4})"`)),
  ].join("");
}

function drawnLine(
  { points }: Line,
  colour: string,
  { x, y }: { readonly x: (at: number) => number; readonly y: (value: number) => number },
): string {
  const path = points.map(({ at, value }) => `${x(at)},${y(value)}`).join(" ");
  const marks = points.map(({ at, value, spread }) => {
    const bar = spread ? `<line x1="${x(at)}" x2="${x(at)}" y1="${y(value - spread)}" y2="${y(value + spread)}"/>` : "";
    return `${bar}<circle cx="${x(at)}" cy="${y(value)}" r="3" fill="${colour}"/>`;
  });
  return `<g stroke="${colour}" fill="none" stroke-width="1.8"><polyline points="${path}"/>${marks.join("")}</g>`;
}

/** Names beside the ends of their lines, no two nearer than a line of text. */
function endLabels(lines: readonly Line[], y: (value: number) => number) {
  const wanted = lines.map(({ name, points }, i) => ({ name, i, at: y(points.at(-1)!.value) + 4 }));
  let free = Number.NEGATIVE_INFINITY;
  return wanted
    .toSorted((a, b) => a.at - b.at)
    .map((label) => {
      free = Math.max(label.at, free + 13);
      return { ...label, at: free };
    });
}

/** The next of 1, 2, 4, 5, 10, 20, …. */
function nice(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9)));
  return ([1, 2, 4, 5, 10].find((step) => step * power >= most) ?? 10) * power;
}

const round = (value: number): number => Math.round(100 * value) / 100;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
