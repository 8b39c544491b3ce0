/** Models on a local disk (Node): a folder, or one file of weights. */
import { join } from "node:path";
import { CheckpointError, FileError } from "../errors.ts";
import { baseName, namesIn, openFile, parentOf, statOf } from "../io/index.ts";
import { type ModelFiles, openIndexed, openWeights, readModelJson, type WeightsOptions } from "./model-files.ts";
import { openTensors } from "./open-tensors.ts";
import type { TensorFile } from "./tensor-file.ts";

/** A model's weights and what its config.json says. */
export interface OpenModel extends AsyncDisposable {
  readonly weights: TensorFile;
  /** The files beside the weights. */
  readonly files: ModelFiles;
  /** config.json, as it is; undefined where there is none. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  close(): Promise<void>;
}

/** The files of a folder. */
export const folderFiles = (folder: string, signal?: AbortSignal): ModelFiles => ({
  name: folder,
  async open(file) {
    const path = join(folder, file);
    return (await statOf(path))?.isFile() ? openFile(path, signal) : undefined;
  },
});

/** Opening a model. */
export interface OpenModelOptions extends WeightsOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Endings of files of weights under other names than the usual ones. */
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|pkl)$/i;
/** What training leaves beside a model: no weights. */
const NO_WEIGHTS = /^(optimizer|scheduler|training_args|scaler|rng_state.*)\./;

/**
 * Opens the model at a local path: a file of weights (safetensors, a checkpoint of torch, an index of shards) or a folder with one.
 * Throws FileError where there is nothing, CheckpointError for what cannot be read.
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenModel> {
  const found = await statOf(path);
  if (!found) throw new FileError(`${path}: expected a file or folder of a model, got nothing there`);
  const files = folderFiles(found.isDirectory() ? path : parentOf(path) || ".", options.signal);
  const weights = found.isDirectory() ? await openFolder(path, files, options) : await openOne(path, files, options);
  const close = (): Promise<void> => weights.close();
  try {
    return { weights, files, config: await readModelJson(files, "config.json"), close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openOne(path: string, files: ModelFiles, options: OpenModelOptions): Promise<TensorFile> {
  const bytes = await openFile(path, options.signal);
  return /\.json$/i.test(path) ? openIndexed(files, bytes, options) : openTensors(bytes, options);
}

/** The usual names first; else the only file of weights in the folder. */
async function openFolder(path: string, files: ModelFiles, options: OpenModelOptions): Promise<TensorFile> {
  const names = await namesIn(path);
  const others = names.filter((name) => WEIGHTS.test(name) && !NO_WEIGHTS.test(baseName(name))).sort();
  if (others.length !== 1 || options.variant !== undefined) {
    if (others.length > 1 && !others.some((name) => /^(model|pytorch_model)[.-]/.test(name)))
      throw new CheckpointError(`${path}: expected one file of weights, got ${others.join(", ")}`, "name one of them");
    return openWeights(files, options);
  }
  return openOne(join(path, others[0]!), files, options);
}
