/** The text fields of batches: ids, masked ids with their labels and positions, and the labels of image–text matching. */
import { DataError } from "../../errors.ts";
import { maskTexts, type TextTokenizer } from "../../text/index.ts";
import { prefixFields } from "./prefix.ts";
import { type Field, type Rows, rowOf } from "./rows.ts";
import type { BatchItem, Part, TextBuild } from "./types.ts";

const REMEMBERED_TEXTS = 20_000;

/**
 * `input_ids` and `attention_mask` (B, T), and with masking `input_ids_masked` and `mlm_labels` (B, T; −100 = ignore),
 * `mlm_positions` (B, Kt; padded with 0) and `mlm_targets` (B, Kt; padded with −100).
 */
export function textFields(build: TextBuild, tokenizer: TextTokenizer): Part {
  const fill = textFiller(build, tokenizer);
  const encodeText = textEncoder(build.length, tokenizer);
  const encode: Part["encode"] = (item, _pixels, rows, row) => {
    const ids = item.ids ?? encodeText(ownText(item));
    if (ids.length !== build.length)
      throw new Error(`internal: a packed row of ${ids.length} ids where ${build.length} were expected`);
    fill.fill(item, ids, rows, row);
  };
  return { fields: fill.fields, encode };
}

/** The text fields of pairs, and `itm_labels` (B): 1 where the caption is the image's own. */
export function pairFields(build: TextBuild, tokenizer: TextTokenizer): Part {
  const fill = textFiller(build, tokenizer);
  const encodeText = textEncoder(build.length, tokenizer);
  const labels: Field = { name: "itm_labels", dtype: "int32", shape: [] };
  const encode: Part["encode"] = (item, _pixels, rows, row) => {
    const own = encodeText(ownText(item));
    const other = item.negative === undefined ? undefined : encodeText(item.negative);
    // Another caption may be cut or reduced to the same tokens: then the pair still matches.
    const isNegative = other?.some((id, i) => id !== own[i]) ?? false;
    rowOf<Int32Array>(rows, labels, row)[0] = isNegative ? 0 : 1;
    fill.fill(item, isNegative ? other! : own, rows, row);
  };
  return { fields: [...fill.fields, labels], encode };
}

export interface TextFiller {
  readonly fields: readonly Field[];
  fill(item: BatchItem, ids: Int32Array, rows: Rows, row: number): void;
}

/** Fills ids, and with masking or prefixes what is to be predicted. */
export function textFiller(build: TextBuild, tokenizer: TextTokenizer): TextFiller {
  const whole = idsFiller(build, tokenizer);
  if (!build.prefix) return whole;
  const prefix = prefixFields(build.length, build.prefix, tokenizer);
  return {
    fields: [...whole.fields, ...prefix.fields],
    fill(item, tokens, rows, row) {
      whole.fill(item, tokens, rows, row);
      prefix.fill(item.draw, tokens, rows, row);
    },
  };
}

function idsFiller({ length, mask }: TextBuild, tokenizer: TextTokenizer): TextFiller {
  const ids: Field = { name: "input_ids", dtype: "int32", shape: [length] };
  const attention: Field = { name: "attention_mask", dtype: "int32", shape: [length] };
  if (mask === null)
    return { fields: [ids, attention], fill: (_item, tokens, rows, row) => fillIds(tokens, rows, row) };
  const masked: Field = { name: "input_ids_masked", dtype: "int32", shape: [length] };
  const labels: Field = { name: "mlm_labels", dtype: "int32", shape: [length] };
  const positions: Field = { name: "mlm_positions", dtype: "int32", shape: [mask.maxTargets] };
  const targets: Field = { name: "mlm_targets", dtype: "int32", shape: [mask.maxTargets] };

  const fill: TextFiller["fill"] = ({ draw }, tokens, rows, row) => {
    fillIds(tokens, rows, row);
    const purpose = `token-mask:${draw.stream}`;
    const place = { seed: draw.seed, step: draw.epoch, firstSample: draw.ordinal, purpose };
    const result = maskTexts(tokens, 1, tokenizer, place, mask);
    rowOf<Int32Array>(rows, masked, row).set(result.inputIds);
    rowOf<Int32Array>(rows, labels, row).set(result.labels);
    rowOf<Int32Array>(rows, positions, row).set(result.positions);
    rowOf<Int32Array>(rows, targets, row).set(result.targets);
  };
  return { fields: [ids, attention, masked, labels, positions, targets], fill };

  function fillIds(tokens: Int32Array, rows: Rows, row: number): void {
    rowOf<Int32Array>(rows, ids, row).set(tokens);
    const out = rowOf<Int32Array>(rows, attention, row);
    for (let i = 0; i < tokens.length; i++) out[i] = tokens[i] === tokenizer.special.pad ? 0 : 1;
  }
}

function ownText({ key, text }: BatchItem): string {
  if (text === undefined) throw new DataError(`${key}: the caption is missing`);
  return text;
}

/** The padded ids of texts, remembered: captions come back every epoch. */
function textEncoder(length: number, tokenizer: TextTokenizer): (text: string) => Int32Array {
  const known = new Map<string, Int32Array>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    const ids = tokenizer.encode(text, { maxLength: length, padding: "max_length" }).inputIds;
    if (known.size >= REMEMBERED_TEXTS) known.clear();
    known.set(text, ids);
    return ids;
  };
}
