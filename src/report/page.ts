/** The report of a run as one self-contained HTML page: no script, no network. */
import { stringify } from "yaml";
import type { LoadedSection, ReadMetrics, RunInfo } from "../record/index.ts";
import type { DrawChart } from "./chart.ts";
import { curveSections } from "./curves.ts";
import { type Html, html, raw } from "./html.ts";
import { count, duration } from "./metric-words.ts";
import { factsTable, numbersTable, resultCards } from "./numbers.ts";
import { pictureSection } from "./pictures.ts";
import { repeatOf } from "./repeat.ts";
import { STYLE } from "./style.ts";
import { unknownWordsTable } from "./words.ts";

/** What the page of a run is made from. */
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
  const { commands, changes } = repeatOf(info);
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
${curves.length > 0 && html`<h2 id="curves">Curves</h2><p class="lead">By optimizer step. Names that begin with <code>eval/</code> are measured on held-out data, the others on the batches that are trained. The dashed line is what a guess would score: where a loss leaves it, something is learned.</p>${damagedNote(metrics)}${curves}`}
<section id="numbers"><h2>Numbers</h2>${numbersTable(info)}${unknownWordsTable(info)}${factsTable(info)}</section>
<section id="recipe"><h2>Recipe</h2><p class="lead">The run again:</p><pre>${commands}</pre>${changes.length > 0 && html`<p class="lead">It was stopped and went on with other values:</p><ul>${changes.map((line) => html`<li>${line}</li>`)}</ul>`}<p class="lead">Complete, with every default, it is <code>recipe.json</code> in the run folder.</p>
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
  return `${STATUS[status]}. Started ${day}; ${duration(seconds)} of training in ${names}, on ${count(environment.threads, "thread")} of ${environment.cpu}.`;
}

const damagedNote = ({ damaged }: ReadMetrics): Html | false =>
  damaged > 0 &&
  html`<p class="muted">${count(damaged, "line")} of metrics.jsonl could not be read and ${damaged === 1 ? "is" : "are"} not drawn.</p>`;
