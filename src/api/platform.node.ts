/** What the api reads from outside, in Node. Its counterpart for browsers is platform.web.ts. */
import { openTensors, openWeightsOf, repositoryFiles, resolveRepository } from "../hub/index.ts";
import { localPath, readBytes } from "../io/index.ts";
import type { DeviceName } from "../runtime/index.ts";
import type { FileAccess, OpenOptions } from "./model-files.ts";

/** The whole of a file by its path or `file:` address. Throws FileError. */
export const readFile = (location: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array> =>
  readBytes(localPath(location), maxBytes, signal ? { signal } : {});

/** Where a model runs unless said. */
export const DEFAULT_DEVICE: DeviceName = "cpu";

/** The device of `auto`. */
export const bestDevice = async (): Promise<DeviceName> => "cpu";

/** A folder (a run's, or one in the Hub's layout), a file of weights, or a repository of the Hub. Throws FileError. */
export async function openFiles(location: string, options: OpenOptions): Promise<FileAccess> {
  const { progressCallback, onWarning, ...rest } = options;
  const repository = await resolveRepository(location, { ...rest, onProgress: progressCallback, note: onWarning });
  const files = repositoryFiles(repository);
  return {
    ...files,
    weights: () => openWeightsOf(repository, files, {}),
    tensors: async (file) => {
      const bytes = await files.open(file);
      return bytes && openTensors(bytes);
    },
  };
}
