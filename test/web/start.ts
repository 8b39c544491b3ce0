/** The beginning of a training, as files: made once for the tests of a run, or given by FLAVA_WEB_START. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StartFiles } from "./both.ts";

/** Its folder. */
export function startFolder(parent: string): string {
  const start = process.env.FLAVA_WEB_START ?? join(parent, "start");
  if (existsSync(start)) return start;
  const made = spawnSync(process.execPath, ["web/make-start.mjs", start], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  return start;
}

/** Its files. */
export function startFiles(start: string): StartFiles {
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(start, name)));
  return {
    "recipe.json": read("recipe.json"),
    "tokenizer.json": read("tokenizer.json"),
    "state.json": read("checkpoint/state.json"),
    "model.safetensors": read("checkpoint/model.safetensors"),
  };
}
