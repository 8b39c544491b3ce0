/** Safetensors files on a local disk (Node). */
import { openFile } from "../../io/index.ts";
import { type SaveOptions, saveFile } from "../../io/save-file.ts";
import { readSafetensors, type Safetensors } from "./read.ts";
import { type EncodeOptions, encodeSafetensors, type TensorEntry } from "./write.ts";

/** Opens a local file. Throws CheckpointError. */
export const openSafetensors = async (path: string): Promise<Safetensors> => readSafetensors(await openFile(path));

/**
 * Writes a file tensor by tensor, whole or not at all (see saveFile). Resolves to its size in bytes.
 * Throws CheckpointError, also for a full disk.
 */
export const saveSafetensors = (
  path: string,
  entries: readonly TensorEntry[],
  options: EncodeOptions & SaveOptions = {},
): Promise<number> => saveFile(path, encodeSafetensors(entries, options), options);
