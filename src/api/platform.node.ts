/** What the api reads from outside, in Node. Its counterpart for browsers is platform.web.ts. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError } from "../errors.ts";
import { openSafetensors } from "../hub/index.ts";
import { readBytes, readJson, statOf } from "../io/index.ts";
import type { ModelFiles, OpenOptions } from "./model-files.ts";

/** The whole of a file by its path or `file:` address. Throws FileError. */
export const readFile = (location: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> =>
  readBytes(/^file:/i.test(location) ? fileURLToPath(location) : location, maxBytes, signal ? { signal } : {});

/** A folder with a model: a run's, or one in the Hub's layout. Throws FileError, CheckpointError. */
export async function openModelFiles(location: string, { signal }: OpenOptions): Promise<ModelFiles> {
  const json = async (name: string): Promise<unknown> => {
    signal?.throwIfAborted();
    const path = join(location, name);
    return (await statOf(path)) ? readJson(path) : undefined;
  };
  const config = await json("config.json");
  if (config === undefined)
    throw new FileError(
      `${location}: expected a folder with config.json, got none`,
      "give a run folder, or a model of the Hub",
    );
  return {
    name: location,
    config,
    tokenizer: await json("tokenizer.json"),
    tokenizerConfig: await json("tokenizer_config.json"),
    preprocessor: await json("preprocessor_config.json"),
    weights: await openSafetensors(join(location, "model.safetensors")),
    probe:
      (await statOf(join(location, "probe.safetensors"))) &&
      (await openSafetensors(join(location, "probe.safetensors"))),
  };
}
