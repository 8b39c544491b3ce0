/** The fields of prefix language modelling (SimVLM, arXiv:2108.10904 §3.1): a text in two, what is read and what is predicted. */
import { random } from "../../tensor/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { type Field, type Rows, rowOf } from "./rows.ts";
import type { DrawKey, PrefixBuild } from "./types.ts";

/** Fills the fields of one text. */
export interface PrefixFields {
  readonly fields: readonly Field[];
  fill(draw: DrawKey, tokens: Int32Array, rows: Rows, row: number): void;
}

/** What counts not as a label. */
const IGNORED = -100;

/**
 * Of a text x behind the token that begins it, with n tokens, the first p are read, p uniform on `least`..n − 1: `prefix_ids` and `prefix_mask`
 * (B, T − 2). The rest is predicted: `decoder_ids` (B, T − 1) are the beginning token and x from p on, `decoder_labels` what follows
 * each (−100 = ignore).
 */
export function prefixFields(length: number, { least }: PrefixBuild, { special }: TextTokenizer): PrefixFields {
  const field = (name: string, places: number): Field => ({ name, dtype: "int32", shape: [places] });
  const ids = field("prefix_ids", length - 2);
  const mask = field("prefix_mask", length - 2);
  const inputs = field("decoder_ids", length - 1);
  const labels = field("decoder_labels", length - 1);
  const { pad } = special;
  return {
    fields: [ids, mask, inputs, labels],
    fill({ seed, stream, epoch, ordinal }, tokens, rows, row) {
      const end = tokens.indexOf(pad, 1);
      const [start, text] = [tokens[0]!, tokens.subarray(1, end === -1 ? tokens.length : end)];
      const from = Math.max(0, Math.min(least, text.length - 1));
      const p = from + random(seed, `prefix:${stream}`, epoch, ordinal).integer(Math.max(1, text.length - from));
      const fill = (to: Field, values: Int32Array, rest: number): void => {
        const out = rowOf<Int32Array>(rows, to, row);
        out.fill(rest);
        out.set(values);
      };
      fill(ids, text.subarray(0, p), pad);
      fill(mask, new Int32Array(p).fill(1), 0);
      fill(inputs, Int32Array.of(start, ...text.subarray(p, text.length - 1)), pad);
      fill(labels, text.subarray(p), IGNORED);
    },
  };
}
