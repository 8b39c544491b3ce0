/** The curves of a run: a chart a metric, in the order of the stages; recalls at 1, 5, 10 share one. */
import type { MetricsLine, RunInfo, StageInfo } from "../record/index.ts";
import { type DrawChart, type Line, short } from "./chart.ts";
import { type Html, html } from "./html.ts";

interface Curve {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly chance: number | undefined;
}

/** The section of each stage that has logged something. */
export function curveSections(info: RunInfo, metrics: readonly MetricsLine[], draw: DrawChart): Html[] {
  const logged = [...new Set(metrics.map(({ stage }) => stage))];
  const names = [...Object.keys(info.stages), ...logged.filter((name) => !Object.hasOwn(info.stages, name))];
  return names.flatMap((name) => {
    const lines = metrics.filter(({ stage }) => stage === name);
    return lines.length === 0 ? [] : [stageSection(name, info.stages[name], lines, draw)];
  });
}

function stageSection(
  name: string,
  stage: StageInfo | undefined,
  lines: readonly MetricsLine[],
  draw: DrawChart,
): Html {
  const [main, others] = sorted(curvesOf(lines, stage?.chance ?? {}));
  const charts = (curves: readonly Curve[]): Html =>
    html`<div class="charts">${curves.map((curve) => figure(curve, draw))}</div>`;
  return html`<section class="stage" id="stage-${name}">
<h3>${name}${stage !== undefined && stage.kind !== name && html` <span class="muted">${stage.kind}</span>`}</h3>
${stage !== undefined && html`<p class="muted">${describeStage(stage)}</p>`}
${charts(main)}
${others.length > 0 && html`<details><summary>more: ${others.map(({ title }) => title).join(", ")}</summary>${charts(others)}</details>`}
</section>`;
}

/**
 * What is looked at (what has a chance level first, then losses, accuracies and recalls) and what is there to be looked up.
 * Where single losses have a chance level, their sum says little: in a joint stage it is another sum from step to step.
 */
function sorted(curves: readonly Curve[]): [main: Curve[], others: Curve[]] {
  const levelled = curves.filter(({ chance }) => chance !== undefined);
  const telling = curves.filter(
    (curve) =>
      !levelled.includes(curve) && TELLING.test(curve.title) && (curve.title !== "loss" || levelled.length === 0),
  );
  const main = [...levelled, ...telling];
  return [main, curves.filter((curve) => !main.includes(curve))];
}

const TELLING = /(^|\/|_)(loss|accuracy|acc1|recall|[it]2[it]_r|usage)(@|$|\/)/;

function describeStage({ steps, done, seconds, samples, times = {} }: StageInfo): string {
  const parts = [`${done.toLocaleString("en-US")}${done < steps ? ` of ${steps.toLocaleString("en-US")}` : ""} steps`];
  if (samples > 0) parts.push(`${samples.toLocaleString("en-US")} samples`);
  parts.push(duration(seconds));
  const trained = seconds - (times.evaluation ?? 0) - (times.saving ?? 0);
  if (samples > 0 && trained > 0) parts.push(`${short(samples / trained)} samples/s`);
  if (times.data !== undefined && trained > 0)
    parts.push(`${((100 * times.data) / trained).toFixed(1)} % waiting for data`);
  return parts.join(" · ");
}

/** 3725 → "1 h 2 min". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60
    ? `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function curvesOf(lines: readonly MetricsLine[], chance: Readonly<Record<string, number>>): Curve[] {
  const points = new Map<string, (readonly [number, number])[]>();
  for (const { step, values } of lines)
    for (const [metric, value] of Object.entries(values)) {
      const known = points.get(metric) ?? [];
      points.set(metric, known);
      if (value !== null) known.push([step, value]);
    }
  const families = new Map<string, string[]>();
  for (const metric of points.keys()) {
    const family = metric.replace(/(_r|@)\d+$/, "$1");
    families.set(family, [...(families.get(family) ?? []), metric]);
  }
  return [...families].map(([family, members]) => ({
    title: members.length > 1 ? family : members[0]!,
    lines: members.map((metric) => ({
      name: members.length > 1 ? `@${metric.slice(family.length).replace("@", "")}` : metric,
      points: points.get(metric)!,
    })),
    chance: members.map((metric) => chance[metric]).find((level) => level !== undefined),
  }));
}

function figure({ title, lines, chance }: Curve, draw: DrawChart): Html {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const label = `${title} by step${chance === undefined ? "" : `; chance is ${short(chance)}`}`;
  const keys =
    lines.length > 1
      ? lines.map(({ name }, i) => html` <b class="key" style="color:var(--c${i + 1})">${name}</b>`)
      : "";
  return html`<figure class="chart"><figcaption><code>${title}</code>${keys}</figcaption>${
    drawn.length > 0 ? draw({ lines: drawn, chance, label }) : html`<p class="muted">no finite value</p>`
  }</figure>`;
}
