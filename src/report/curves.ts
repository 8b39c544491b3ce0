/** The curves of a run: a chart a metric, in the order of the stages; recalls at 1, 5, 10 share one. */
import type { MetricsLine, RunInfo, StageInfo } from "../record/index.ts";
import { type DrawChart, type Line, short } from "./chart.ts";
import { type Html, html } from "./html.ts";
import { count, duration, explain } from "./metric-words.ts";
import { breakable, formatResult } from "./numbers.ts";

interface Curve {
  readonly title: string;
  readonly lines: readonly (Line & { readonly metric: string; readonly chance: number | undefined })[];
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
  const curves = curvesOf(lines, stage?.chance ?? {});
  const [main, others] = sorted(curves.filter(isDrawn));
  const charts = (some: readonly Curve[]): Html | false =>
    some.length > 0 && html`<div class="charts">${some.map((curve) => figure(curve, draw))}</div>`;
  return html`<section class="stage" id="stage-${name}">
<h3>${name}${stage !== undefined && stage.kind !== name && html` <span class="muted">${stage.kind}</span>`}</h3>
${stage !== undefined && html`<p class="muted">${describeStage(stage)}</p>`}
${charts(main)}
${measuredOnce(curves.filter((curve) => !isDrawn(curve)))}
${others.length > 0 && html`<details><summary>more: ${others.map(({ title }) => title).join(", ")}</summary>${charts(others)}</details>`}
</section>`;
}

/** One point is no curve. */
const isDrawn = ({ lines }: Curve): boolean => lines.some(({ points }) => new Set(points.map(([x]) => x)).size > 1);

function measuredOnce(curves: readonly Curve[]): Html | false {
  const rows = curves.flatMap(({ lines }) =>
    lines.map(({ metric, points, chance }) => {
      const [step, value] = points.at(-1) ?? [];
      return html`<tr><td><code>${breakable(metric)}</code><small>${explain(metric)}</small></td><td class="number">${value === undefined ? "not finite" : formatResult(metric, value)}${step !== undefined && html`<small>step ${step}</small>`}</td><td class="number">${chance !== undefined && formatResult(metric, chance)}</td></tr>`;
    }),
  );
  if (rows.length === 0) return false;
  return html`<details><summary>measured once: ${curves.map(({ title }) => title).join(", ")}</summary><table class="facts"><tr><th>name</th><th class="number">value</th><th class="number">chance</th></tr>${rows}</table></details>`;
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
  const parts = [`${done < steps ? `${done.toLocaleString("en-US")} of ` : ""}${count(steps, "step")}`];
  if (samples > 0) parts.push(count(samples, "sample"));
  parts.push(duration(seconds));
  const trained = seconds - (times.evaluation ?? 0) - (times.saving ?? 0);
  if (samples > 0 && trained > 0) parts.push(`${short(samples / trained)} samples/s`);
  if (times.data !== undefined && trained > 0)
    parts.push(`${((100 * times.data) / trained).toFixed(1)} % waiting for data`);
  return parts.join(" · ");
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
      metric,
      chance: chance[metric],
    })),
    chance: members.map((metric) => chance[metric]).find((level) => level !== undefined),
  }));
}

function figure({ title, lines, chance }: Curve, draw: DrawChart): Html {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const of = lines.length > 1 ? lines.find((line) => line.chance === chance)?.name : undefined;
  const label = `${title} by step${chance === undefined ? "" : `; chance${of ? ` of ${of}` : ""} is ${short(chance)}`}`;
  const keys =
    lines.length > 1
      ? lines.map(({ name }, i) => html` <b class="key" style="color:var(--c${i + 1})">${name}</b>`)
      : "";
  return html`<figure class="chart"><figcaption><code>${breakable(title)}</code>${keys}<small>${explain(title)}</small></figcaption>${draw(
    { lines: drawn, chance, chanceOf: of, label },
  )}</figure>`;
}
