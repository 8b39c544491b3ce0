/** From raw fields of a record to a sample: which names count as image, caption and label, and what makes one bad. */
import { isRecord } from "../../io/index.ts";
import type { Bad } from "./files.ts";
import type { Sample } from "./source.ts";

/** Names tried in this order where no column is given. Those of open_clip, img2dataset and the Hub's image folders. */
export const IMAGE_KEYS: readonly string[] = [
  ...["filepath", "image", "image_path", "file_name", "image_name", "filename", "path", "url"],
];
export const TEXT_KEYS: readonly string[] = [
  ...["title", "caption", "captions", "text", "texts", "txt", "sentence", "sentences", "comment", "raw"],
];
export const LABEL_KEYS: readonly string[] = ["label", "cls", "class", "fine_label"];

/** Raw bytes that may not be UTF-8 arrive as this. */
export const INVALID_UTF8: unique symbol = Symbol("invalid UTF-8");

export interface RawFields {
  readonly key: string;
  readonly image?: Uint8Array | undefined;
  /** One caption or several. */
  readonly text?: unknown;
  readonly label?: unknown;
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  /** The file names a caption column, so a record without one is bad. */
  readonly textExpected?: boolean;
}

/** The sample of a record, or why it is bad: no content, an empty image, a missing or undecodable caption. */
export function toSample(raw: RawFields): Sample | Bad {
  const bad = (reason: string): Bad => ({ key: raw.key, reason });
  const texts = captionsOf(raw.text);
  if (typeof texts === "string") return bad(texts);
  if (texts.length === 0 && ((raw.text !== undefined && raw.text !== null) || raw.textExpected))
    return bad("the caption is missing");
  if (raw.image?.length === 0) return bad("the image is empty");
  if (raw.image === undefined && texts.length === 0) return bad("no image and no text");
  const label = toLabel(raw.label);
  const meta = primitives(raw.meta ?? {});
  return {
    key: raw.key,
    ...(raw.image && { image: raw.image }),
    ...(texts.length > 0 && { texts }),
    ...(label !== undefined && { label }),
    ...(Object.keys(meta).length > 0 && { meta }),
  };
}

/** Where a caption that is an object has its words: COCO-like files of Karpathy's splits, and others after them. */
const WORDS = ["raw", "caption", "text", "sentence", "value"];

/** The captions of a raw value: a text, a list of them, or of objects with them. A string is the reason why they cannot be used. */
export function captionsOf(text: unknown): string[] | string {
  const texts: string[] = [];
  for (const given of Array.isArray(text) ? text : [text]) {
    const caption = isRecord(given) ? WORDS.map((name) => given[name]).find((one) => typeof one === "string") : given;
    if (given === undefined || given === null) continue;
    if (caption === INVALID_UTF8) return "the caption is not valid UTF-8";
    if (typeof caption !== "string") return `expected a caption of type string, got ${typeof given}`;
    if (caption.includes("\u0000")) return "the caption holds a NUL character";
    if (caption.trim() !== "") texts.push(caption.trim());
  }
  return texts;
}

/** The label of a raw value: any number, any text but the empty one, true and false as their names. */
function toLabel(label: unknown): string | number | undefined {
  if (typeof label === "boolean") return String(label);
  const value = plainNumber(label);
  return Number.isFinite(value) || (typeof value === "string" && value !== "") ? (value as string | number) : undefined;
}

/** A whole number that a double cannot hold, as text; anything else as it is. */
const plainNumber = (value: unknown): unknown => {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
};

function primitives(fields: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const out: Record<string, string | number | boolean> = {};
  for (const [key, raw] of Object.entries(fields)) {
    const value = plainNumber(raw);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") out[key] = value;
  }
  return out;
}

/** The first of `names` that `fields` has. */
export const firstOf = (names: readonly string[], fields: ReadonlySet<string>): string | undefined =>
  names.find((name) => fields.has(name));
