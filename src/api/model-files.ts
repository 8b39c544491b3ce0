/** What a model is opened from: its configuration, its tokenizer, and its tensors by name. */
import { openFiles } from "#platform";
import { CheckpointError } from "../errors.ts";
import { readModelConfig, readModelJson, readModelText } from "../hub/model-files.ts";
import type { ProgressEvent } from "../hub/repository/progress.ts";
import type { TensorFile } from "../hub/tensor-file.ts";
import type { Bytes } from "../io/bytes.ts";
import { type TextTokenizer, TOKENIZER_FILES, tokenizerFromFiles } from "../text/index.ts";
import { openClipPreprocessor } from "./preprocessor.ts";
import { PROBE_FILE } from "./probe.ts";

/** The files of a model, wherever they are. */
export interface FileAccess {
  /** Folder or repository, for messages. */
  readonly name: string;
  /** A file by its name; undefined where there is none. Throws FileError for one that cannot be read. */
  open(file: string): Promise<Bytes | undefined>;
  /** The tensors, in one file or several. Throws CheckpointError where there are none. */
  weights(): Promise<TensorFile>;
  /** A file of tensors by its name. */
  tensors(file: string): Promise<TensorFile | undefined>;
}

/** Where a model comes from, and what is reported on the way. */
export interface OpenOptions {
  /** A branch, tag or commit of a repository. Default "main". */
  readonly revision?: string | undefined;
  /** A folder inside of the repository. */
  readonly subfolder?: string | undefined;
  /** Where downloads are kept; the Hub's shared cache unless said. */
  readonly cacheDir?: string | undefined;
  /** Nothing is downloaded: what is not in the cache is an error. */
  readonly localFilesOnly?: boolean | undefined;
  /** The Hub's; that of the environment unless said. False sends none. */
  readonly token?: string | false | undefined;
  /** The events of transformers.js. */
  readonly progressCallback?: ((event: ProgressEvent) => void) | undefined;
  /** Told, in a sentence, what was cut or is not as asked for. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** The small files of a model; what is not there is undefined. */
export interface Descriptions {
  readonly config: JsonObject | undefined;
  readonly preprocessor: JsonObject | undefined;
  readonly tokenizer: TextTokenizer | undefined;
}

/** Reads what describes a model. */
export async function readDescriptions(files: FileAccess): Promise<Descriptions> {
  const config = await readModelConfig(files);
  return {
    config,
    preprocessor: (await readModelJson(files, "preprocessor_config.json")) ?? (config && openClipPreprocessor(config)),
    tokenizer: await readTokenizer(files),
  };
}

/** Whatever form it has. Throws DataError for broken files, for those that contradict each other, and unless it is BERT's WordPiece. */
async function readTokenizer(files: FileAccess): Promise<TextTokenizer | undefined> {
  const texts: Record<string, string | undefined> = {};
  for (const file of TOKENIZER_FILES) texts[file] = await readModelText(files, file);
  if (texts["tokenizer.json"] === undefined && texts["vocab.txt"] === undefined) return undefined;
  return tokenizerFromFiles(texts, files.name);
}

/** A model's files, found. Throws FileError, CheckpointError. */
export async function openModelFiles(idOrPath: string, options: OpenOptions): Promise<FileAccess> {
  if (typeof idOrPath !== "string" || idOrPath.trim() === "")
    throw new CheckpointError(`model: expected a folder or a repository of the Hub, got ${JSON.stringify(idOrPath)}`);
  return openFiles(idOrPath, options);
}

/** The probe beside a model, opened. */
export const openProbe = (files: FileAccess): Promise<TensorFile | undefined> => files.tensors(PROBE_FILE);
