/** The final numbers of a run and what it took, as parts of its page. Every number says what it is, and what guessing reaches. */
import type { RunInfo } from "../record/index.ts";
import { short } from "./chart.ts";
import { type Html, html } from "./html.ts";
import { candidates, count, duration, explain, isShare } from "./metric-words.ts";

/** A final number with what is known of guessing. */
export interface Result {
  readonly name: string;
  readonly value: number;
  /** The 95 % bootstrap interval, where there is one. */
  readonly interval: { readonly low: number; readonly high: number } | undefined;
  /** What a guess scores. */
  readonly chance: number | undefined;
  /** The value as a multiple of `chance`, where that says something. */
  readonly times: number | undefined;
}

const OVER_CHANCE = "_over_chance";

/** The results in their order, each with its chance level: as the run saved it, else from its multiple. */
export function resultsOf({ results, chance = {}, intervals = {} }: RunInfo): Result[] {
  return Object.entries(results)
    .filter(([name]) => !name.endsWith(OVER_CHANCE))
    .map(([name, value]) => {
      const times = results[name + OVER_CHANCE];
      return {
        name,
        value,
        interval: intervals[name],
        times,
        chance: chance[name] ?? (times ? value / times : undefined),
      };
    });
}

/** 0.2345 → "23.5 %" for what is a share; anything else as it is. */
export const formatResult = (name: string, value: number): string =>
  isShare(name) && value >= 0 && value <= 1 ? percent(value) : short(value);

/** At least two digits that say something: 0.0061 → "0.61 %". */
const percent = (share: number): string =>
  `${share < 0.01 ? Number((100 * share).toPrecision(2)) : (100 * share).toFixed(1)} %`;

/** A name that may break after its parts, never inside one: R@10 must not read as R@1. */
export const breakable = (name: string): Html[] =>
  name.split(/(?<=[_/])(?!r\d)/).map((part, i) => (i === 0 ? html`${part}` : html`<wbr>${part}`));

/** Eight numbers of the run, large: first those with a multiple of chance. */
export function resultCards(info: RunInfo): Html | false {
  const results = resultsOf(info)
    .sort((a, b) => Number(b.times !== undefined) - Number(a.times !== undefined))
    .slice(0, 8);
  if (results.length === 0) return false;
  return html`<div class="results">${results.map(
    ({ name, value, chance, times }) =>
      html`<div class="result"><b>${formatResult(name, value)}</b><code>${breakable(name)}</code><span>${explain(name)}</span>${besideChance(name, chance, times)}</div>`,
  )}</div>`;
}

/** A multiple of chance is praised only above 1; a value without one says what a guess would score. */
function besideChance(name: string, chance: number | undefined, times: number | undefined): Html | undefined {
  if (times === undefined)
    return chance === undefined ? undefined : html`<span>chance ${formatResult(name, chance)}</span>`;
  const multiple = times > 1 ? html`<em>${short(times)}×</em>` : html`${short(times)}×`;
  return html`<span>${multiple} chance${among(name, chance)}</span>`;
}

const among = (name: string, chance: number | undefined): string => {
  const text = candidates(name, chance);
  return text && ` (${text})`;
};

/** Every final number with its meaning. */
export function numbersTable(info: RunInfo): Html {
  const results = resultsOf(info);
  if (results.length === 0) return html`<p class="muted">The run has no final numbers yet.</p>`;
  return html`<table class="facts"><tr><th>name</th><th class="number">value</th><th class="number">chance</th></tr>${results.map(
    ({ name, value, interval, chance, times }) =>
      html`<tr><td><code>${breakable(name)}</code><small>${explain(name)}${among(name, chance)}</small></td><td class="number">${formatResult(name, value)}${interval && html`<small>${formatResult(name, interval.low)} to ${formatResult(name, interval.high)}</small>`}</td><td class="number">${chance !== undefined && formatResult(name, chance)}${times !== undefined && html`<small>${short(times)}× that</small>`}</td></tr>`,
  )}</table>
<p class="muted">Measured once, at the end, on held-out data that chose nothing. With more digits they are in <code>run.json</code>.${info.intervals && " Below a value stands the interval in which it lies on 95 % of the resamples of its samples."} “Chance” is what a random order of the candidates reaches, or always giving one answer.</p>`;
}

/** Machine, versions, times. */
export function factsTable({ stages, environment, peakMemoryBytes, startedAt, finishedAt }: RunInfo): Html {
  const { cpu, processors, threads, platform, engine, node, flava, commit } = environment;
  const rows: [string, string | undefined][] = [
    ["processor", `${cpu}, ${processors} in all, ${count(threads, "thread")} used`],
    ["platform", platform],
    ["engine", engine],
    ["Node", node],
    ["flava", commit ? `${flava}, commit ${commit.slice(0, 12)}` : flava],
    ["peak memory", peakMemoryBytes === undefined ? undefined : `${(peakMemoryBytes / 2 ** 30).toFixed(2)} GiB`],
    ["started", startedAt],
    ["ended", finishedAt],
    ...Object.entries(stages).map(([name, { seconds, parameters }]): [string, string] => [
      `stage ${name}`,
      `${duration(seconds)}${parameters ? `, ${short(parameters)} trained parameters` : ""}`,
    ]),
  ];
  return html`<h3>What it took</h3><table class="facts">${rows.flatMap(([label, value]) =>
    value === undefined ? [] : [html`<tr><th>${label}</th><td>${value}</td></tr>`],
  )}</table>`;
}
