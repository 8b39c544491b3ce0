/** Plain data as JSON holds it, and files of it. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError, FileError } from "../errors.ts";
import { statOf } from "./file.ts";
import { saveFile } from "./save-file.ts";
import { systemReason } from "./system-error.ts";

/** What JSON can say. A key whose value is undefined counts as absent. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json | undefined };

/** Whether a value has keys: an object that is no array. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a JSON value is an object, not an array or null. */
export const isJsonObject = (value: Json | undefined): value is JsonObject => isRecord(value);

/** Reads a JSON file. Throws FileError if it cannot be read, DataError if it is no JSON. */
export async function readJson(path: string): Promise<Json> {
  const text = await readFile(path, "utf8").catch(async (cause: NodeJS.ErrnoException) => {
    const help = (await statOf(dirname(path))) ? undefined : `there is no folder ${dirname(path)}`;
    throw new FileError(`${path}: expected a file, got ${systemReason(cause)}`, help, { cause });
  });
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new DataError(`${path}: expected JSON, got ${(cause as Error).message}`, undefined, { cause });
  }
}

/** Writes a JSON file, whole or not at all; `indent` spaces a level. Throws FileError. */
export async function saveJson(path: string, value: unknown, indent = 2): Promise<void> {
  await saveFile(path, `${JSON.stringify(value, null, indent)}\n`);
}
