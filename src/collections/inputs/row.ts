/** A line of JSON that names a picture, a text, or both. */

import { IMAGE_KEYS, TEXT_KEYS } from "../../data/sources/fields.ts";
import { isRecord, isUrl, parentOf, resolveLocation } from "../../io/index.ts";
import type { Input } from "./types.ts";

/**
 * The input of a line, or why it is none. Fields: `image` (a path from the list's folder, or an address; or another of the names that
 * tables use), `text` (or `caption`, …), `id` (what results call it).
 */
export function rowInput(place: string, line: string, list: string): Input | string {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    return `expected JSON, got ${(error as Error).message}`;
  }
  if (!isRecord(row)) return `expected an object with image or text, got ${line.slice(0, 40)}`;
  const [image, text] = [fieldOf(row, ["image", ...IMAGE_KEYS]), fieldOf(row, ["text", ...TEXT_KEYS])];
  const key = typeof row.id === "string" || typeof row.id === "number" ? String(row.id) : place;
  for (const [name, value] of [image, text].filter((field) => field !== undefined))
    if (typeof value !== "string" || value === "") return `${name}: expected a text, got ${JSON.stringify(value)}`;
  if (!image && !text) return `expected a field image or text, got ${Object.keys(row).join(", ") || "none"}`;
  const at = image && resolveLocation(parentOf(list), image[1] as string);
  if (at !== undefined && isUrl(list) && !isUrl(at)) return `${image![1]}: a list from a server names a local file`;
  return { key, ...(at !== undefined && { image: at }), ...(text && { text: text[1] as string }) };
}

/** The first of these fields that the row has. */
function fieldOf(row: Record<string, unknown>, names: readonly string[]): readonly [string, unknown] | undefined {
  const name = names.find((one) => row[one] !== undefined && row[one] !== null);
  return name === undefined ? undefined : [name, row[name]];
}
