/** What global-setup.ts has made. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StartFiles } from "./both.ts";

/** The folder of the built page. */
export const siteFolder = (): string => process.env.FLAVA_WEB_SITE!;

/** The folder of the beginning of a training. */
export const startFolder = (): string => process.env.FLAVA_WEB_START!;

/** Its files. */
export function startFiles(): StartFiles {
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(startFolder(), name)));
  return {
    "recipe.json": read("recipe.json"),
    "tokenizer.json": read("tokenizer.json"),
    "state.json": read("checkpoint/state.json"),
    "model.safetensors": read("checkpoint/model.safetensors"),
    "decoder.safetensors": read("decoder.safetensors"),
  };
}
