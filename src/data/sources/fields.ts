/** From raw fields of a record to a sample: which names count as image, caption and label, and what makes one bad. */
import type { Bad } from "./files.ts";
import type { Sample } from "./source.ts";

/** Names tried in this order where no column is given. Those of open_clip, img2dataset and the Hub's image folders. */
export const IMAGE_KEYS: readonly string[] = ["filepath", "image", "image_path", "file_name", "path", "url"];
export const TEXT_KEYS: readonly string[] = ["title", "caption", "captions", "text", "texts", "sentence", "sentences"];
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
  const given = raw.text === undefined || raw.text === null ? [] : Array.isArray(raw.text) ? raw.text : [raw.text];
  const texts: string[] = [];
  for (const text of given) {
    if (text === INVALID_UTF8) return bad("the caption is not valid UTF-8");
    if (typeof text !== "string") return bad(`expected a caption of type string, got ${typeof text}`);
    if (text.includes("\u0000")) return bad("the caption holds a NUL character");
    if (text.trim() !== "") texts.push(text.trim());
  }
  if (texts.length === 0 && (given.length > 0 || raw.textExpected)) return bad("the caption is missing");
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

function toLabel(label: unknown): string | number | undefined {
  if (typeof label === "bigint") return Number(label);
  if (typeof label === "number" || (typeof label === "string" && label !== "")) return label;
  return undefined;
}

function primitives(fields: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const out: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") out[key] = value;
    else if (typeof value === "bigint") out[key] = Number(value);
  }
  return out;
}

/** The first of `names` that `fields` has. */
export const firstOf = (names: readonly string[], fields: ReadonlySet<string>): string | undefined =>
  names.find((name) => fields.has(name));
