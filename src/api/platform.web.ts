/** What the api reads from outside, in browsers. Its counterpart for Node is platform.node.ts. */
import { FileError } from "../errors.ts";
import { openWeights } from "../hub/model-files.ts";
import { openTensors } from "../hub/open-tensors.ts";
import type { Bytes } from "../io/bytes.ts";
import { memoryBytes } from "../io/memory.ts";
import type { FileAccess, OpenOptions } from "./model-files.ts";

/** There are no files in a browser. Throws FileError. */
export async function readFile(location: string): Promise<Uint8Array> {
  throw new FileError(`${location}: expected an address, a Blob, bytes or pixels, got a path`, "a page has no files");
}

const HUB = "https://huggingface.co";

/** A folder at an address, or a repository of the Hub; the browser's own cache keeps what it has fetched. Throws FileError. */
export async function openFiles(location: string, options: OpenOptions): Promise<FileAccess> {
  const { revision = "main", subfolder, signal, token, progressCallback } = options;
  const base = /^https?:/i.test(location) ? location.replace(/\/$/, "") : `${HUB}/${location}/resolve/${revision}`;
  const root = subfolder ? `${base}/${subfolder}` : base;
  const open = async (file: string): Promise<Bytes | undefined> => {
    const name = `${root}/${file}`;
    const told = { name: location, file };
    progressCallback?.({ status: "initiate", ...told });
    const response = await fetch(name, {
      ...(signal && { signal }),
      ...(token && { headers: { authorization: `Bearer ${token}` } }),
    }).catch((cause: Error) => {
      signal?.throwIfAborted();
      throw new FileError(`${name}: expected a file, got ${cause.message}`, undefined, { cause });
    });
    if (response.status === 404) return undefined;
    if (!response.ok) throw new FileError(`${name}: expected a file, got status ${response.status}`);
    progressCallback?.({ status: "download", ...told });
    const bytes = new Uint8Array(await response.arrayBuffer());
    progressCallback?.({ status: "done", ...told });
    return memoryBytes(name, bytes);
  };
  const files = { name: location, open };
  return {
    ...files,
    weights: () => openWeights(files),
    tensors: async (file) => {
      const bytes = await open(file);
      return bytes && openTensors(bytes);
    },
  };
}
