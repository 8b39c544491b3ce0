/** What a detector saw in a picture: the regions of a sample, checked, whatever a dump of features calls its columns. */
import { isRecord } from "../../io/index.ts";
import type { Regions } from "./objects.ts";

/** The fields of a record by the names of public dumps: bottom-up attention, LXMERT, UNITER, VinVL, MMF. */
export const REGION_KEYS: Readonly<Record<keyof RawRegions, readonly string[]>> = {
  features: ["features", "region_features", "feature", "x", "feat"],
  boxes: ["boxes", "bbox", "bboxes", "region_boxes"],
  shares: ["norm_bb", "norm_boxes", "normalized_boxes"],
  width: ["image_w", "img_w", "image_width", "width", "w"],
  height: ["image_h", "img_h", "image_height", "height", "h"],
  count: ["num_boxes", "num_regions"],
  classes: ["soft_labels", "cls_prob", "class_probabilities", "region_classes"],
  objects: ["objects_id", "object_ids", "objects"],
  tags: ["tags", "object_tags", "objects_names", "classes"],
};

/** A record before it is checked. Lists may be nested, flat, bytes of float32, or those in base64. */
export interface RawRegions {
  readonly features: unknown;
  /** Corners in pixels, or as shares where all are at most 1 and no size is said. */
  readonly boxes?: unknown;
  /** Boxes that are shares for certain; more than four numbers a box may stand there, of which the first four are read. */
  readonly shares?: unknown;
  readonly width?: unknown;
  readonly height?: unknown;
  readonly count?: unknown;
  readonly classes?: unknown;
  /** The number of each region's class, where there is no distribution. */
  readonly objects?: unknown;
  readonly tags?: unknown;
}

/** The fields of a record that the names of `REGION_KEYS` find. */
export function rawRegions(fields: ReadonlyMap<string, unknown>): RawRegions {
  const found = Object.entries(REGION_KEYS).map(([field, names]) => [
    field,
    fields.get(names.find((name) => fields.get(name) !== undefined && fields.get(name) !== null) ?? ""),
  ]);
  return Object.fromEntries(found) as RawRegions;
}

/** More is no picture's. */
const MAX_REGIONS = 10_000;

/** Rounding of a dump in float16 or of whole pixels. */
const SLACK = 2e-3;

/** The regions of a record, or why they cannot be used. `width`: numbers of a feature, where it is known. */
export function checkedRegions(raw: RawRegions, width?: number, classCount?: number): Regions | string {
  const features = numbersOf(raw.features);
  if (features === undefined || features.length === 0) return "expected the features of regions, got none";
  const boxes = boxesOf(raw);
  if (typeof boxes === "string") return boxes;
  const count = boxes.length / 4;
  if (count === 0 || count > MAX_REGIONS) return `expected 1 to ${MAX_REGIONS} regions, got ${count}`;
  const own = features.length / count;
  if (!Number.isInteger(own)) return `expected one feature a box, got ${features.length} numbers and ${count} boxes`;
  if (width !== undefined && own !== width) return `expected features of ${width} numbers, got ${own}`;
  const broken = features.findIndex((x) => !Number.isFinite(x));
  if (broken >= 0) return `region ${Math.floor(broken / own)}: expected finite numbers, got ${features[broken]}`;
  const classes = classesOf(raw, count, classCount);
  if (typeof classes === "string") return classes;
  const tags = tagList(raw.tags);
  return { count, features, width: own, boxes, ...(classes && { classes }), ...(tags && { tags }) };
}

/** (count, 4) as shares, or what is wrong with them. */
function boxesOf({ boxes, shares, width, height, count }: RawRegions): Float32Array | string {
  const given = shares ?? boxes;
  const all = numbersOf(given);
  if (all === undefined) return "expected a box for each region, got none";
  const rows = rowsOf(given) ?? (numberOf(count) || all.length / 4);
  const each = all.length / rows;
  if (!Number.isInteger(each) || each < 4) return `expected boxes of 4 numbers, got ${all.length} numbers for ${rows}`;
  const [w, h] = [numberOf(width), numberOf(height)];
  const largest = all.reduce((most, x, i) => (i % each < 4 ? Math.max(most, x) : most), 0);
  const inShares = shares !== undefined || (largest <= 1 + SLACK && !(w > 1 && h > 1));
  if (!inShares && !(w > 0 && h > 0))
    return `expected boxes as shares, or the picture's width and height beside boxes in pixels, got up to ${largest} and no size`;
  const [sx, sy] = inShares ? [1, 1] : [w, h];
  const out = new Float32Array(rows * 4);
  for (let r = 0; r < rows; r++) {
    const box = Array.from(all.subarray(r * each, r * each + 4));
    const [left, top, right, bottom] = [box[0]! / sx, box[1]! / sy, box[2]! / sx, box[3]! / sy];
    const edges = inShares ? SLACK : Math.max(SLACK, 1.5 / Math.min(sx, sy));
    const inside = [left, top, right, bottom].every((x) => x >= -edges && x <= 1 + edges);
    const size = inShares ? "" : ` of ${w} × ${h}`;
    if (!inside) return `region ${r}: the box ${box.join(", ")} lies outside the picture${size}`;
    if (!(left <= right && top <= bottom))
      return `region ${r}: expected left, top, right, bottom, got the box ${box.join(", ")}, which ends before it begins`;
    out.set(
      [left, top, right, bottom].map((x) => Math.min(1, Math.max(0, x))),
      r * 4,
    );
  }
  return out;
}

function classesOf({ classes, objects }: RawRegions, count: number, known?: number): Float32Array | string | undefined {
  const all = numbersOf(classes);
  if (all !== undefined && all.length > 0) {
    const width = all.length / count;
    if (!Number.isInteger(width)) return `expected class probabilities of ${count} regions, got ${all.length} numbers`;
    if (known !== undefined && width !== known) return `expected probabilities of ${known} classes, got ${width}`;
    return all;
  }
  const ids = numbersOf(objects);
  if (ids === undefined || known === undefined) return undefined;
  if (ids.length !== count) return `expected the class of each of ${count} regions, got ${ids.length}`;
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= known);
  if (wrong !== undefined) return `expected classes below ${known}, got ${wrong}`;
  const sure = new Float32Array(count * known);
  for (const [r, id] of ids.entries()) sure[r * known + id] = 1;
  return sure;
}

/** A list of names, or names separated by commas, semicolons or line breaks; undefined where there is none. */
export function tagList(value: unknown): string[] | undefined {
  const parts = typeof value === "string" ? value.split(/[,;\n]/) : Array.isArray(value) ? value : [];
  const tags = parts
    .filter((tag) => typeof tag === "string")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
  return tags.length > 0 ? [...new Set(tags)] : undefined;
}

const numberOf = (value: unknown): number => {
  const one = numbersOf(value);
  return one?.length === 1 ? one[0]! : Number.NaN;
};

/** Rows of a list of lists or of an array with a shape; undefined of a flat one. */
function rowsOf(value: unknown): number | undefined {
  if (isRecord(value) && Array.isArray(value.shape)) return value.shape.length > 1 ? Number(value.shape[0]) : undefined;
  return Array.isArray(value) && (Array.isArray(value[0]) || ArrayBuffer.isView(value[0])) ? value.length : undefined;
}

/** All numbers of a value in order; undefined where it is none. */
function numbersOf(value: unknown): Float32Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" || typeof value === "bigint") return Float32Array.of(Number(value));
  if (value instanceof Uint8Array) return ofBytes(value);
  if (typeof value === "string") return /^[A-Za-z0-9+/\s]+=*\s*$/.test(value) ? ofBytes(fromBase64(value)) : undefined;
  if (ArrayBuffer.isView(value)) return Float32Array.from(value as unknown as ArrayLike<number>);
  if (isRecord(value) && value.numbers instanceof Float32Array) return value.numbers;
  if (!Array.isArray(value)) return undefined;
  if (Array.isArray(value[0]) || ArrayBuffer.isView(value[0])) return concatenated(value.map(numbersOf));
  return value.every((x) => typeof x === "number" || typeof x === "bigint")
    ? Float32Array.from(value, Number)
    : undefined;
}

function concatenated(parts: readonly (Float32Array | undefined)[]): Float32Array | undefined {
  const out = new Float32Array(parts.reduce((n, part) => n + (part?.length ?? 0), 0));
  let at = 0;
  for (const part of parts) {
    if (part === undefined) return undefined;
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Bytes of float32, as the dumps in base64 have them. */
const ofBytes = (bytes: Uint8Array): Float32Array | undefined =>
  bytes.length % 4 === 0 ? new Float32Array(bytes.slice().buffer) : undefined;

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text.replace(/\s/g, "")), (c) => c.charCodeAt(0));
