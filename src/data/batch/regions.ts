/** Batches of texts and the regions of a detector, some of both masked (UNITER, arXiv:1909.11740 §3; VOLTA; Oscar+). */
import { DataError } from "../../errors.ts";
import { type Pixels, resize } from "../../image/index.ts";
import { type Random, random } from "../../tensor/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import type { Regions } from "../sources/objects.ts";
import { type Field, rowOf } from "./rows.ts";
import { textFiller } from "./text.ts";
import type { BatchItem, Part, RegionBuild, TextBuild } from "./types.ts";

/**
 * `region_features` (B, R, F), `region_boxes` (B, R, 4, 5 or 6) and `region_mask` int32 (B, R); with `mean` the mean of all regions comes
 * first, and R is one more. With `classes` `region_classes` (B, R, C) and with a mask `region_weights` (B, R), 1 where a region is
 * masked, both without the mean. With `waves` `region_waves` (B, R, 8·waves), of the boxes.
 */
export function regionFields(build: RegionBuild): Part {
  const { most, features, box, mean, masked, classes, waves } = build;
  const R = most + (mean ? 1 : 0);
  const field = (name: string, ...shape: number[]): Field => ({ name, dtype: "float32", shape });
  const seen = field("region_features", R, features);
  const boxes = field("region_boxes", R, box);
  const mask: Field = { name: "region_mask", dtype: "int32", shape: [R] };
  const likely = field("region_classes", most, classes);
  const weights = field("region_weights", most);
  const waved = field("region_waves", R, 8 * (waves ?? 0));

  const encode: Part["encode"] = (item, pixels, rows, row) => {
    const found = regionsOf(item, pixels, build);
    const count = Math.min(most, found.count);
    const { seed, stream, epoch, ordinal } = item.draw;
    const chosen =
      masked === null ? undefined : chooseRegions(count, masked, random(seed, `region-mask:${stream}`, epoch, ordinal));
    const first = mean ? 1 : 0;
    const out = rowOf<Float32Array>(rows, seen, row).fill(0);
    out.set(found.features.subarray(0, count * features), first * features);
    for (const r of chosen?.hidden ?? []) out.fill(0, (first + r) * features, (first + r + 1) * features);
    const places = rowOf<Float32Array>(rows, boxes, row).fill(0);
    for (let r = 0; r < count; r++) places.set(boxNumbers(found.boxes, r, box), (first + r) * box);
    rowOf<Int32Array>(rows, mask, row)
      .fill(0)
      .fill(1, 0, first + count);
    if (mean) {
      const own = out.subarray(features, (1 + count) * features);
      out.set(meanFeature(own, features, found.boxes, chosen ? chosen.selected : []));
      places.set([0, 0, 1, 1, 1].slice(0, box));
    }
    if (classes > 0)
      rowOf<Float32Array>(rows, likely, row)
        .fill(0)
        .set(classesOf(item.key, found, classes, count));
    if (masked) {
      const counted = rowOf<Float32Array>(rows, weights, row).fill(0);
      for (const r of chosen!.selected) counted[r] = 1;
    }
    if (waves !== undefined)
      for (let r = 0, to = rowOf<Float32Array>(rows, waved, row); r < R; r++)
        to.set(boxWaves(places.subarray(r * box, r * box + 4), waves), r * 8 * waves);
  };
  const fields = [seen, boxes, mask, ...(classes > 0 ? [likely] : []), ...(masked ? [weights] : [])];
  return { fields: waves === undefined ? fields : [...fields, waved], encode };
}

/**
 * The text fields of such batches, and `mismatch` int32 (B): 0 where text and regions belong together, 1 where the tags are another
 * picture's, 2 where the caption is. With tags `token_type_ids` (B, T), 1 on them.
 */
export function regionTexts(build: TextBuild, tags: boolean, tokenizer: TextTokenizer): Part {
  const fill = textFiller(build, tokenizer);
  const mismatch: Field = { name: "mismatch", dtype: "int32", shape: [] };
  const types: Field = { name: "token_type_ids", dtype: "int32", shape: [build.length] };
  const encode: Part["encode"] = (item, _pixels, rows, row) => {
    const ids = (text: string | undefined, list: readonly string[] | undefined) => {
      if (text === undefined) throw new DataError(`${item.key}: the caption is missing`);
      if (tags && (list === undefined || list.length === 0))
        throw new DataError(
          `${item.key}: expected a list of object tags, got none: the dump needs a column of tags, or samples meta.tags`,
        );
      const pair = tags ? { pair: list!.join(" ") } : {};
      return tokenizer.encode(text, { maxLength: build.length, padding: "max_length", ...pair });
    };
    const own = ids(item.text, item.tags);
    const kind = item.negative !== undefined ? 2 : item.otherTags !== undefined ? 1 : 0;
    const other = kind === 0 ? own : ids(item.negative ?? item.text, item.otherTags ?? item.tags);
    const differs = other.inputIds.some((id, i) => id !== own.inputIds[i]);
    rowOf<Int32Array>(rows, mismatch, row)[0] = differs ? kind : 0;
    fill.fill(item, other.inputIds, rows, row);
    if (tags) rowOf<Int32Array>(rows, types, row).set(other.tokenTypeIds);
  };
  return { fields: [...fill.fields, mismatch, ...(tags ? [types] : [])], encode };
}

function regionsOf({ key, regions }: BatchItem, pixels: Pixels | undefined, build: RegionBuild): Regions {
  const { features, grid } = build;
  if (regions === undefined && grid !== null && pixels !== undefined) return gridRegions(pixels, build);
  if (regions === undefined)
    throw new DataError(
      `${key}: expected the regions of a detector, got none: read a dump of features ({ type: regions, path }), or cut the picture with regions.grid`,
    );
  if (regions.width !== features)
    throw new DataError(
      `${key}: expected region features of ${features} numbers (model.regions.features), got ${regions.width}`,
    );
  return regions;
}

function classesOf(key: string, { classes, count }: Regions, wanted: number, used: number): Float32Array {
  const has = classes === undefined ? 0 : classes.length / count;
  if (has !== wanted)
    throw new DataError(
      `${key}: expected probabilities of ${wanted} classes a region (model.regions.classes), got ${has || "none"}`,
    );
  return classes!.subarray(0, used * wanted);
}

/** Of a region's box as shares: its corners (4 numbers), with its area (5), or with its width and height (6). */
function boxNumbers(boxes: Float32Array, r: number, box: RegionBuild["box"]): number[] {
  const [left, top, right, bottom] = Array.from(boxes.subarray(4 * r, 4 * r + 4)) as [number, number, number, number];
  const [w, h] = [right - left, bottom - top];
  const more = { 4: [], 5: [w * h], 6: [w, h] }[box];
  return [left, top, right, bottom, ...more];
}

/** Which regions are to be predicted, and which of them are hidden: nine in ten; at least one is chosen. */
function chooseRegions(count: number, share: number, rng: Random) {
  const drawn = Array.from({ length: count }, () => rng.uniform());
  const least = drawn.indexOf(Math.min(...drawn));
  const selected = drawn.flatMap((u, r) => (u < share || r === least ? [r] : []));
  return { selected, hidden: selected.filter(() => rng.uniform() < 0.9) };
}

/** Where a region is called covered by a masked one. */
const COVERED = 0.4;

/** The sum of all features, over the number of regions that no masked one covers (VOLTA: covered ones stay in the sum). */
function meanFeature(
  features: Float32Array,
  width: number,
  boxes: Float32Array,
  masked: readonly number[],
): Float32Array {
  const out = new Float32Array(width);
  let seen = 0;
  for (let r = 0; r < features.length / width; r++) {
    for (let i = 0; i < width; i++) out[i]! += features[r * width + i]!;
    if (!masked.some((m) => overlap(boxes, m, r) > COVERED)) seen++;
  }
  return out.map((x) => x / Math.max(1, seen));
}

/** Intersection over union of two boxes. */
function overlap(boxes: Float32Array, a: number, b: number): number {
  if (a === b) return 1;
  const at = (r: number, i: number): number => boxes[4 * r + i]!;
  const side = (i: number): number => Math.max(0, Math.min(at(a, i + 2), at(b, i + 2)) - Math.max(at(a, i), at(b, i)));
  const area = (r: number): number => (at(r, 2) - at(r, 0)) * (at(r, 3) - at(r, 1));
  const shared = side(0) * side(1);
  return shared / (area(a) + area(b) - shared || 1);
}

/** Waves of a box (VL-BERT): of centre and size × 100, first all sines, then all cosines of each. */
export function boxWaves(box: ArrayLike<number>, waves: number): number[] {
  const [left, top, right, bottom] = Array.from(box).slice(0, 4) as [number, number, number, number];
  const numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
  return numbers.flatMap((x) => {
    const angles = Array.from({ length: waves }, (_, i) => (100 * x) / 1000 ** (i / waves));
    return [...angles.map(Math.sin), ...angles.map(Math.cos)];
  });
}

/**
 * What stands in for a detector where there is none: the cells of a grid, each with its pixels as feature and its mean colour as class.
 * `features` is 3·n² for n × n pixels a cell, of `classes` the first k³ are used, k steps of each channel.
 */
function gridRegions(pixels: Pixels, { grid, features, classes }: RegionBuild): Regions {
  const n = grid!;
  const side = Math.round(Math.sqrt(features / 3));
  const steps = Math.max(1, Math.floor(Math.cbrt(Math.max(1, classes)) + 1e-9));
  const whole = resize(pixels, n * side, n * side, "bicubic");
  const boxes = new Float32Array(4 * n * n);
  const out = new Float32Array(features * n * n);
  const likely = new Float32Array(classes * n * n);
  for (let r = 0; r < n * n; r++) {
    const [y, x] = [Math.floor(r / n), r % n];
    boxes.set([x / n, y / n, (x + 1) / n, (y + 1) / n], 4 * r);
    const sums = [0, 0, 0];
    for (let i = 0; i < side * side; i++) {
      const at = ((y * side + Math.floor(i / side)) * n * side + x * side + (i % side)) * 3;
      for (let c = 0; c < 3; c++) {
        out[r * features + 3 * i + c] = whole.data[at + c]! / 127.5 - 1;
        sums[c]! += whole.data[at + c]! / (side * side);
      }
    }
    const bins = sums.map((mean) => Math.min(steps - 1, Math.floor((mean / 256) * steps)));
    if (classes > 0) likely[r * classes + bins.reduce((code, bin) => code * steps + bin, 0)] = 1;
  }
  return { count: n * n, features: out, width: features, boxes, ...(classes > 0 && { classes: likely }) };
}
