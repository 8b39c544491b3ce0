/** Plain data compared: where two pieces differ, by path, and one hash for what is equal. */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { isJsonObject, type Json } from "../io/index.ts";

/** One key that two recipes disagree on. */
export interface Difference {
  readonly path: string;
  readonly was: Json | undefined;
  readonly now: Json | undefined;
}

/** Where two pieces of plain data differ, at the smallest places. */
export function differences(was: Json | undefined, now: Json | undefined, path = ""): Difference[] {
  if (isDeepStrictEqual(was, now)) return [];
  if (!isJsonObject(was) || !isJsonObject(now)) return [{ path, was, now }];
  const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])];
  return keys.flatMap((key) => differences(was[key], now[key], path === "" ? key : `${path}.${key}`));
}

/** `path: was …, now …` */
export const formatDifference = ({ path, was, now }: Difference): string =>
  `${path}: was ${show(was)}, now ${show(now)}`;

/** Each difference as a line, at most twenty of them, and how many more there are. */
export function listDifferences(found: readonly Difference[]): string {
  const lines = found.slice(0, 20).map((one) => `✖ ${formatDifference(one)}`);
  if (found.length > 20) lines.push(`  and ${found.length - 20} more`);
  return lines.join("\n");
}

const show = (value: Json | undefined): string => (value === undefined ? "absent" : JSON.stringify(value));

/** SHA-256 of plain data, the same for the same data in another order of keys. */
export const hashOf = (value: Json): string => createHash("sha256").update(canonical(value)).digest("hex");

function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(",")}}`;
}
