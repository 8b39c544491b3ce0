/** Models on this computer or on the Hub (Node): a folder, a repository, one file of weights. */
import { CheckpointError } from "../errors.ts";
import { namesIn } from "../io/index.ts";
import {
  type ModelFiles,
  openIndexed,
  openWeights,
  readModelConfig,
  type WeightsOptions,
  weightFiles,
} from "./model-files.ts";
import { openTensors } from "./open-tensors.ts";
import type { Repository, RepositoryOptions } from "./repository/repository.ts";
import { resolveRepository } from "./repository/resolve.ts";
import type { TensorFile } from "./tensor-file.ts";

/** A model's weights and what its config.json says. */
export interface OpenModel extends AsyncDisposable {
  readonly weights: TensorFile;
  /** The files beside the weights. */
  readonly files: ModelFiles;
  readonly repository: Repository;
  /** config.json, else open_clip_config.json, as it is; undefined where there is neither. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  close(): Promise<void>;
}

/** Opening a model. */
export interface OpenModelOptions extends WeightsOptions, RepositoryOptions {
  /** Weights on the Hub are read by ranges instead of downloaded: for looking at headers. */
  readonly peek?: boolean | undefined;
}

/** The files of a repository, those that are there. */
export const repositoryFiles = (repository: Repository, { peek }: Pick<OpenModelOptions, "peek"> = {}): ModelFiles => ({
  name: repository.name,
  open: async (file) => {
    if (!(await repository.has(file))) return undefined;
    return peek && WEIGHTS.test(file) ? repository.peek(file) : repository.open(file);
  },
});

/** Endings of files of weights under other names than the usual ones. */
const WEIGHTS = /^[^/]+\.(safetensors|bin|pt|pth|ckpt|pkl)$/i;
/** What lies beside a model: no weights of its own. */
const NO_WEIGHTS = /^(optimizer|scheduler|training_args|scaler|rng_state.*|probe)\./;
/** A part of weights, which is not all there is. */
const SHARD = /-\d{5}-of-\d{5}\./;

/**
 * Opens a model: a folder or a repository of the Hub with weights, or a file of weights (safetensors, a checkpoint of torch, an index of
 * shards). Throws FileError where there is nothing, CheckpointError for what cannot be read.
 */
export async function openModel(idOrPath: string, options: OpenModelOptions = {}): Promise<OpenModel> {
  const repository = await resolveRepository(idOrPath, options);
  const files = repositoryFiles(repository, options);
  const weights = await openWeightsOf(repository, files, options);
  const close = (): Promise<void> => weights.close();
  try {
    const config = await readModelConfig(files);
    return { weights, files, repository, config, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The weights of a repository: the file that was named; else the usual names; else the only file of weights there is. */
export async function openWeightsOf(
  repository: Repository,
  files: ModelFiles,
  options: OpenModelOptions,
): Promise<TensorFile> {
  if (repository.file !== undefined) return openOne(repository, files, repository.file, options);
  const names =
    repository.kind === "hub" ? (await repository.files()).map(({ name }) => name) : await namesIn(repository.dir);
  const found = names.filter((name) => WEIGHTS.test(name) && !NO_WEIGHTS.test(name)).sort();
  const usual = weightFiles(options);
  const isUsual = names.some((name) => usual.includes(name)) || found.some((name) => SHARD.test(name));
  if (found.length === 0 || options.variant !== undefined || isUsual) return openWeights(files, options);
  if (found.length > 1)
    throw new CheckpointError(
      `${repository.name}: expected one file of weights, got ${found.slice(0, 10).join(", ")}${found.length > 10 ? ", …" : ""}`,
      "name one of them",
    );
  return openOne(repository, files, found[0]!, options);
}

async function openOne(
  repository: Repository,
  files: ModelFiles,
  name: string,
  options: OpenModelOptions,
): Promise<TensorFile> {
  const bytes = await (options.peek ? repository.peek(name) : repository.open(name));
  return /\.json$/i.test(name) ? openIndexed(files, bytes, options) : openTensors(bytes, options);
}
