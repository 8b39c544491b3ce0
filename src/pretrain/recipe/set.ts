/** `--set key=value`: one value of a recipe replaced, read as the schema's type at that place. */

import { parse } from "yaml";
import type { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { isRecord } from "../../io/index.ts";
import { nearest } from "../../tensor/index.ts";
import { keysAt, schemasAt, takesStructure, takesText } from "./walk.ts";

/** What `--set` changed. */
export interface Override {
  readonly path: string;
  readonly was: unknown;
  readonly now: unknown;
}

type Schema = z.core.$ZodType;

/**
 * Applies `a.b.c=value` to a recipe's plain data, in place; list elements go by number. Throws ConfigError for a text
 * without `=`, for a key that does not exist (with the nearest name), and for a value that cannot be read.
 */
export function applySet(schema: Schema, raw: Record<string, unknown>, assignment: string): Override {
  const at = assignment.indexOf("=");
  if (at < 1) throw new ConfigError(`--set ${assignment}: expected key=value, as in stages.joint.steps=100`);
  const path = assignment.slice(0, at).split(".");
  checkPath(schema, raw, path);
  const now = readValue(schema, raw, path, assignment.slice(at + 1));
  return { path: path.join("."), was: assign(raw, path, now), now };
}

function checkPath(schema: Schema, raw: Record<string, unknown>, path: readonly string[]): void {
  for (let depth = 1; depth <= path.length; depth++) {
    const known = keysAt(schema, raw, path.slice(0, depth - 1));
    const [key, parent] = [path[depth - 1]!, path.slice(0, depth - 1).join(".")];
    const isNew = isRecordOfNames(parent) && depth < path.length && !known.includes(key);
    const exists = key !== "__proto__" && schemasAt(schema, raw, path.slice(0, depth)).length > 0;
    if (exists && !isNew) continue;
    throw new ConfigError(
      `--set ${path.join(".")}: expected a key of ${parent || "the recipe"}, got "${key}"`,
      known.length > 0 ? nearest(key, known) : `${parent || "the recipe"} has no keys`,
    );
  }
}

/** Places whose keys are the recipe's own names, not the schema's: a key inside a new name would hang in the air. */
const isRecordOfNames = (parent: string): boolean => parent === "stages" || parent.startsWith("evaluation.");

function readValue(schema: Schema, raw: unknown, path: readonly string[], text: string): unknown {
  const looksStructured = /^\s*[[{]/.test(text);
  if (takesText(schema, raw, path) && !(looksStructured && takesStructure(schema, raw, path)) && text !== "null")
    return text;
  try {
    return parse(text) as unknown;
  } catch (cause) {
    throw new ConfigError(`--set ${path.join(".")}: expected a value, got ${JSON.stringify(text)}`, undefined, {
      cause,
    });
  }
}

/** Sets the value, making objects on the way; returns what was there. */
function assign(raw: Record<string, unknown>, path: readonly string[], now: unknown): unknown {
  let place: Record<string, unknown> = raw;
  for (const [i, key] of path.slice(0, -1).entries()) {
    const next = (Object.hasOwn(place, key) ? place[key] : undefined) ?? {};
    if (!isRecord(next) && !Array.isArray(next))
      throw new ConfigError(
        `--set ${path.join(".")}: expected ${path.slice(0, i + 1).join(".")} to hold keys, got ${JSON.stringify(next)}`,
        "set it as a whole",
      );
    place[key] = next;
    place = next as Record<string, unknown>;
  }
  const key = path.at(-1)!;
  const was = Object.hasOwn(place, key) ? place[key] : undefined;
  place[key] = now;
  return was;
}
