/** What the api reads from outside, in browsers. Its counterpart for Node is platform.node.ts. */
import { FileError } from "../errors.ts";
import { readSafetensors } from "../hub/safetensors/read.ts";
import { openHttp } from "../io/http.ts";
import type { ModelFiles, OpenOptions } from "./model-files.ts";

/** There are no files in a browser. Throws FileError. */
export async function readFile(location: string): Promise<Uint8Array> {
  throw new FileError(`${location}: expected an address, a Blob, bytes or pixels, got a path`, "a page has no files");
}

const HUB = "https://huggingface.co";

/** A folder at an address, or a repository of the Hub. Tensors are read by range. Throws FileError, CheckpointError. */
export async function openModelFiles(location: string, options: OpenOptions): Promise<ModelFiles> {
  const { revision = "main", signal } = options;
  const root = /^https?:/i.test(location) ? location.replace(/\/$/, "") : `${HUB}/${location}/resolve/${revision}`;
  const json = async (name: string): Promise<unknown> => {
    const response = await fetch(`${root}/${name}`, signal ? { signal } : {});
    if (response.status === 404) return undefined;
    if (!response.ok) throw new FileError(`${root}/${name}: expected a file, got status ${response.status}`);
    return response.json();
  };
  const tensors = async (name: string) => readSafetensors(await openHttp(`${root}/${name}`, signal ? { signal } : {}));
  const config = await json("config.json");
  if (config === undefined) throw new FileError(`${root}: expected config.json, got none`);
  return {
    name: location,
    config,
    tokenizer: await json("tokenizer.json"),
    tokenizerConfig: await json("tokenizer_config.json"),
    preprocessor: await json("preprocessor_config.json"),
    weights: await tensors("model.safetensors"),
    probe: await tensors("probe.safetensors").catch(() => undefined),
  };
}
