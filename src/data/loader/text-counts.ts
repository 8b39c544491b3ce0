/** What the text rows of a batch hold, so that a stage whose texts say nothing to its vocabulary is noticed at its first step. */
import type { Tensor } from "../../tensor/index.ts";
import type { SpecialIds } from "../../text/index.ts";

/** Counts of a batch. */
export interface TextCounts {
  readonly dataset: string;
  readonly step: number;
  readonly rows: number;
  /** Tokens but [PAD], [CLS], [SEP] and [MASK]. */
  readonly tokens: number;
  /** Those that are [UNK]. */
  readonly unknown: number;
  /** unknown / tokens; 0 where there are no tokens. */
  readonly unknownShare: number;
  /** Rows in which no token can be masked: they hold [UNK] alone, or nothing. */
  readonly unmaskable: number;
}

/** Tells `onTexts` of the first batch of each data set, where it has text. */
export function firstTexts(
  special: SpecialIds | undefined,
  onTexts: ((counts: TextCounts) => void) | undefined,
): (batch: Batch) => void {
  const counted = new Set<string>();
  return (batch) => {
    if (!special || !onTexts || counted.has(batch.dataset)) return;
    counted.add(batch.dataset);
    const counts = countTexts(batch, special);
    if (counts) onTexts(counts);
  };
}

interface Batch {
  readonly dataset: string;
  readonly step: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Counts `input_ids` (B, T); undefined where the batch has no text. */
function countTexts({ dataset, step, feeds }: Batch, { pad, unk, cls, sep, mask }: SpecialIds): TextCounts | undefined {
  const ids = feeds.input_ids;
  if (ids === undefined) return undefined;
  const [rows = 0, length = 0] = ids.shape;
  const silent = new Set([pad, cls, sep, mask]);
  let [tokens, unknown, unmaskable] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const said = (ids.data as Int32Array).subarray(row * length, (row + 1) * length).filter((id) => !silent.has(id));
    const strange = said.filter((id) => id === unk).length;
    tokens += said.length;
    unknown += strange;
    if (strange === said.length) unmaskable++;
  }
  return { dataset, step, rows, tokens, unknown, unknownShare: tokens === 0 ? 0 : unknown / tokens, unmaskable };
}
