/** The report of a run as one self-contained HTML page: no script, no network. */
import { stringify } from "yaml";
import type { LoadedSection, ReadMetrics, RunInfo } from "../record/index.ts";
import type { DrawChart } from "./chart.ts";
import { short } from "./chart.ts";
import { curveSections, duration } from "./curves.ts";
import { type Html, html, raw } from "./html.ts";
import { pictureSection } from "./pictures.ts";
import { STYLE } from "./style.ts";

export interface ReportContent {
  readonly info: RunInfo;
  /** As it was saved: a run of an older version has a recipe that this one might not take. */
  readonly recipe: unknown;
  readonly metrics: ReadMetrics;
  readonly gallery: readonly LoadedSection[];
}

/** The page's text. */
export function reportPage({ info, recipe, metrics, gallery }: ReportContent, draw: DrawChart): string {
  const curves = curveSections(info, metrics.lines, draw);
  // Before the comma a title says enough for a menu.
  const links = [
    ...gallery.map(({ name, section }) => html`<a href="#pictures-${name}">${section.title.split(",")[0]}</a>`),
    curves.length > 0 && html`<a href="#curves">Curves</a>`,
    html`<a href="#numbers">Numbers</a>`,
    html`<a href="#recipe">Recipe</a>`,
  ];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${info.name}: a FLAVA run</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header><h1>${info.name}</h1><p class="lead">${summary(info)}</p>${resultCards(info)}</header>
<nav><div>${links}</div></nav>
<main>
${gallery.map(pictureSection)}
${curves.length > 0 && html`<h2 id="curves">Curves</h2><p class="lead">By optimizer step. The dashed line is what a guess would score: where a loss leaves it, something is learned.</p>${curves}`}
<section id="numbers"><h2>Numbers</h2>${numbersTable(info)}${factsTable(info)}</section>
<section id="recipe"><h2>Recipe</h2><p class="lead">The run again:</p><pre>${info.command}</pre><p class="lead">Complete, with every default, it is <code>recipe.json</code> in the run folder.</p>
<details><summary>show</summary><pre>${stringify(recipe, { lineWidth: 110, flowCollectionPadding: true })}</pre></details></section>
</main>
<footer>Written by flava ${info.environment.flava}. FLAVA: arXiv 2112.04482.</footer>
</body>
</html>
`;
  return page.markup;
}

const STATUS: Readonly<Record<RunInfo["status"], string>> = {
  done: "Finished",
  running: "Still running",
  stopped: "Stopped before its end",
  failed: "Failed",
};

function summary({ status, startedAt, stages, environment }: RunInfo): string {
  const seconds = Object.values(stages).reduce((n, stage) => n + stage.seconds, 0);
  const names = Object.keys(stages).join(", ");
  const day = startedAt.slice(0, 10);
  return `${STATUS[status]}. Started ${day}; ${duration(seconds)} of training in the stages ${names}, on ${environment.threads} threads of ${environment.cpu}.`;
}

/** 0.2345 → "23.5 %" for what is a share; anything else as it is. */
const formatResult = (name: string, value: number): string =>
  value >= 0 && value <= 1 && /(_r\d+|recall|accuracy|acc\d*|share|usage)(@\d+)?$/.test(name)
    ? `${(100 * value).toFixed(1)} %`
    : short(value);

const OVER_CHANCE = "_over_chance";

/** Eight numbers of the run, large: first those with a multiple of chance. */
function resultCards({ results }: RunInfo): Html | false {
  const hasChance = (name: string): number => Number(name + OVER_CHANCE in results);
  const names = Object.keys(results)
    .filter((name) => !name.endsWith(OVER_CHANCE))
    .sort((a, b) => hasChance(b) - hasChance(a))
    .slice(0, 8);
  if (names.length === 0) return false;
  return html`<div class="results">${names.map((name) => {
    const times = results[name + OVER_CHANCE];
    return html`<div class="result"><b>${formatResult(name, results[name]!)}</b><span>${name}</span>${times !== undefined && html`<span><em>${short(times)}×</em> chance</span>`}</div>`;
  })}</div>`;
}

function numbersTable({ results }: RunInfo): Html {
  const entries = Object.entries(results);
  if (entries.length === 0) return html`<p class="muted">The run has no final numbers yet.</p>`;
  return html`<div class="scroll"><table class="facts"><tr><th>name</th><th class="number">value</th></tr>${entries.map(
    ([name, value]) =>
      html`<tr><td><code>${name}</code></td><td class="number">${Number(value.toPrecision(6))}</td></tr>`,
  )}</table></div>`;
}

function factsTable({ stages, environment, peakMemoryBytes, startedAt, finishedAt }: RunInfo): Html {
  const rows: [string, string | undefined][] = [
    ["processor", `${environment.cpu}, ${environment.processors} in all, ${environment.threads} threads used`],
    ["platform", environment.platform],
    ["engine", environment.engine],
    ["Node", environment.node],
    [
      "flava",
      environment.commit ? `${environment.flava}, commit ${environment.commit.slice(0, 12)}` : environment.flava,
    ],
    ["peak memory", peakMemoryBytes === undefined ? undefined : `${(peakMemoryBytes / 2 ** 30).toFixed(2)} GiB`],
    ["started, ended", finishedAt ? `${startedAt}, ${finishedAt}` : startedAt],
    ...Object.entries(stages).map(([name, { seconds, parameters }]): [string, string] => [
      `stage ${name}`,
      `${duration(seconds)}${parameters ? `, ${short(parameters)} parameters` : ""}`,
    ]),
  ];
  return html`<h3>What it took</h3><div class="scroll"><table class="facts">${rows.flatMap(([label, value]) =>
    value === undefined ? [] : [html`<tr><th>${label}</th><td>${value}</td></tr>`],
  )}</table></div>`;
}
