/** Which words of a run's texts its model does not see, for its page and its card. */
import type { RunInfo, SetCoverage } from "../record/index.ts";
import { type Html, html } from "./html.ts";
import { code, table } from "./markdown.ts";

type Row = readonly [set: string, coverage: SetCoverage];

const KNOWN = "The vocabulary has a spelling for every word of the texts that were counted.";

/** The sets with unknown words; undefined where nothing was counted. */
function lacking({ coverage }: RunInfo): Row[] | undefined {
  return coverage && Object.entries(coverage).filter(([, { unknown }]) => unknown > 0);
}

const inAll = ({ texts, firstSamples }: SetCoverage): string =>
  firstSamples === undefined ? shown(texts) : `the first ${shown(texts)}`;

const shown = (n: number): string => n.toLocaleString("en-US");
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
const commonest = ({ commonest: list }: SetCoverage): string =>
  list
    .slice(0, 10)
    .map(({ word, count }) => `${word} (${shown(count)})`)
    .join(", ");

/** A table of the sets with unknown words. */
export function unknownWordsTable(info: RunInfo): Html | false {
  const rows = lacking(info);
  if (!rows) return false;
  if (rows.length === 0) return html`<h3>Unknown words</h3><p class="muted">${KNOWN}</p>`;
  return html`<h3>Unknown words</h3><p class="muted">The model reads <code>[UNK]</code> in their place, or nothing where its tokenizer skips them.</p>
<table class="facts"><tr><th>set</th><th class="number">texts</th><th class="number">unknown</th><th class="number">texts without a known word</th><th>the commonest</th></tr>${rows.map(
    ([set, coverage]) =>
      html`<tr><td>${set}</td><td class="number">${inAll(coverage)}</td><td class="number">${percent(coverage.unknownShare)}</td><td class="number">${shown(coverage.unreadable)}</td><td>${commonest(coverage)}</td></tr>`,
  )}</table>`;
}

/** The same as Markdown; undefined where nothing was counted. */
export function unknownWordsCard(info: RunInfo): string | undefined {
  const rows = lacking(info);
  if (!rows) return undefined;
  if (rows.length === 0) return KNOWN;
  const cells = rows.map(([set, coverage]) => [
    code(set),
    inAll(coverage),
    percent(coverage.unknownShare),
    shown(coverage.unreadable),
    code(commonest(coverage)),
  ]);
  return `The model reads \`[UNK]\` in their place, or nothing where its tokenizer skips them.\n\n${table(["set", "texts", "unknown words", "texts without a known word", "the commonest"], cells)}`;
}
