/** What the api reads from outside, in browsers. Its counterpart for Node is platform.node.ts. */
import { FileError } from "../errors.ts";
import { openWeights } from "../hub/model-files.ts";
import { openTensors } from "../hub/open-tensors.ts";
import { byteEvents } from "../hub/repository/progress.ts";
import { openCached } from "../io/cached.web.ts";
import type { DeviceName } from "../runtime/device-names.ts";
import { hasGpu } from "../runtime/onnxruntime/web/gpu.ts";
import type { FileAccess, OpenOptions } from "./model-files.ts";

/** There are no files in a browser. Throws FileError. */
export async function readFile(location: string): Promise<Uint8Array> {
  throw new FileError(`${location}: expected an address, a Blob, bytes or pixels, got a path`, "a page has no files");
}

/** Where a model runs unless said. */
export const DEFAULT_DEVICE: DeviceName = "wasm";

/** The fastest device here. */
export const bestDevice = async (): Promise<DeviceName> => ((await hasGpu()) ? "webgpu" : "wasm");

const HUB = "https://huggingface.co";

/** A folder at an address, or a repository of the Hub; what is fetched stays in the browser's cache. Throws FileError. */
export async function openFiles(location: string, options: OpenOptions): Promise<FileAccess> {
  const open = fetched(location, options);
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

/** An address, or a path of the page's own server: "/model", "./model". */
const isAddress = (location: string): boolean => /^(https?:\/\/|\.{0,2}\/)/i.test(location);

const addressOf = (location: string): string =>
  new URL(location, globalThis.location?.href ?? "http://localhost/").href.replace(/\/$/, "");

function fetched(location: string, options: OpenOptions): FileAccess["open"] {
  const { revision = "main", subfolder, signal, token, progressCallback = () => undefined, onWarning } = options;
  const base = isAddress(location) ? addressOf(location) : `${HUB}/${location}/resolve/${revision}`;
  const root = subfolder ? `${base}/${subfolder}` : base;
  return async (file) => {
    const told = { name: location, file };
    progressCallback({ status: "initiate", ...told });
    const tell = byteEvents(location, file, progressCallback);
    let begun = false;
    const onBytes = (loaded: number, total: number): void => {
      if (!begun) progressCallback({ status: "download", ...told });
      begun = true;
      tell(loaded, total);
    };
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const bytes = await openCached(`${root}/${file}`, {
      ...{ headers, onBytes, onWarning, signal },
      localOnly: options.localFilesOnly,
      cacheName: options.cacheDir,
    });
    if (!bytes) return undefined;
    const close = async (): Promise<void> => {
      progressCallback({ status: "done", ...told });
      await bytes.close();
    };
    return { ...bytes, close };
  };
}
