/** The weights and configuration among the files of a model, wherever they lie: a folder, a repository, files of a web page. */
import { CheckpointError } from "../errors.ts";
import type { Bytes } from "../io/bytes.ts";
import { openTensors } from "./open-tensors.ts";
import { isRecord } from "./safetensors/header.ts";
import { openShards } from "./shards.ts";
import type { TensorFile } from "./tensor-file.ts";
import type { TorchOptions } from "./torch/read.ts";

/** The files of one model. */
export interface ModelFiles {
  /** A path, a repository's id, for messages. */
  readonly name: string;
  /** A file by its name; undefined where there is none. Throws FileError for one that cannot be read. */
  open(file: string): Promise<Bytes | undefined>;
}

/** How weights are looked for and read. */
export interface WeightsOptions extends TorchOptions {
  /** Part of the files' names, as Hugging Face has them: "fp16" for `model.fp16.safetensors`. */
  readonly variant?: string | undefined;
}

/** The names that weights have, in the order in which they are preferred. */
export const weightFiles = ({ variant }: Pick<WeightsOptions, "variant"> = {}): string[] => {
  const part = variant === undefined ? "" : `.${variant}`;
  return [
    `model${part}.safetensors`,
    `model.safetensors.index${part}.json`,
    `pytorch_model${part}.bin`,
    `pytorch_model.bin.index${part}.json`,
    ...(variant === undefined ? ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"] : []),
  ];
};

/** The weights of a model, in one file or several. Throws CheckpointError where there are none. */
export async function openWeights(files: ModelFiles, options: WeightsOptions = {}): Promise<TensorFile> {
  const names = weightFiles(options);
  for (const name of names) {
    const bytes = await files.open(name);
    if (!bytes) continue;
    return name.endsWith(".json") ? openIndexed(files, bytes, options) : openTensors(bytes, options);
  }
  throw new CheckpointError(`${files.name}: expected weights, got none`, `looked for ${names.join(", ")}`);
}

/** The weights that an index tells of. Closes the index. */
export async function openIndexed(files: ModelFiles, index: Bytes, options: WeightsOptions): Promise<TensorFile> {
  return openShards(index.name, await textOf(index, MAX_INDEX_BYTES), async (name) => {
    const bytes = await files.open(name);
    if (!bytes)
      throw new CheckpointError(`${index.name}: expected the file ${name}, got none`, "fetch all files of the model");
    return openTensors(bytes, options);
  });
}

/** A million tensors or so. */
const MAX_INDEX_BYTES = 100_000_000;
/** BERT's vocabulary is 0.2 MB, a tokenizer.json of a hundred languages 10 MB. */
const MAX_TEXT_BYTES = 64 << 20;

/** The text of a file, which is closed. Throws CheckpointError past `most` bytes. */
async function textOf(bytes: Bytes, most: number): Promise<string> {
  try {
    if (bytes.byteLength > most)
      throw new CheckpointError(`${bytes.name}: expected at most ${most} bytes, got ${bytes.byteLength}`);
    return new TextDecoder().decode(await bytes.slice(0));
  } finally {
    await bytes.close();
  }
}

/** A text file of the model; undefined where there is none. Throws CheckpointError for one of more than 64 MiB. */
export async function readModelText(files: ModelFiles, file: string): Promise<string | undefined> {
  const bytes = await files.open(file);
  return bytes && textOf(bytes, MAX_TEXT_BYTES);
}

/** A JSON file of the model, `config.json` for instance; undefined where there is none. Throws CheckpointError for what is no object. */
export async function readModelJson(
  files: ModelFiles,
  file: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const bytes = await files.open(file);
  if (!bytes) return undefined;
  const text = await textOf(bytes, MAX_TEXT_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new CheckpointError(`${bytes.name}: expected JSON, got ${(cause as Error).message}`, undefined, { cause });
  }
  if (!isRecord(value)) throw new CheckpointError(`${bytes.name}: expected a JSON object`);
  return value;
}

/** What describes a model's sizes: its config.json, else open_clip's file; undefined where there is neither. Throws CheckpointError for what is no object. */
export const readModelConfig = async (files: ModelFiles): ReturnType<typeof readModelJson> =>
  (await readModelJson(files, "config.json")) ?? readModelJson(files, "open_clip_config.json");
