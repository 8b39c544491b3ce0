/** The beginning of a training, as files: made once for the tests of a run, or given by FLAVA_WEB_START. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeStart } from "../../web/make-start.ts";
import type { StartFiles } from "./both.ts";

/** Its folder. */
export async function startFolder(parent: string): Promise<string> {
  const start = process.env.FLAVA_WEB_START ?? join(parent, "start");
  if (!existsSync(start)) await makeStart(start);
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
