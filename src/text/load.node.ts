/** Opens a tokenizer from a folder or file in the Hub's layout (Node only). */
import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DataError, FileError } from "../errors.ts";
import { bertVocabulary } from "./bert-vocabulary.node.ts";
import { bertTokenizer, type TextTokenizer } from "./tokenizer.ts";
import { TOKENIZER_FILES, tokenizerFromFiles } from "./tokenizer-files.ts";

/** Bytes; the published tokenizer.json is 0.5 MB, the largest in common use about 20 MB. */
const MAX_FILE_BYTES = 64 * 2 ** 20;

/** The bert-base-uncased tokenizer, from the installed vocabulary: no download. */
export async function loadBertTokenizer(): Promise<TextTokenizer> {
  return bertTokenizer(await bertVocabulary());
}

/**
 * The tokenizer of a model folder (`tokenizer.json`, else `vocab.txt`), or of one such file; the other files of a tokenizer beside it are
 * honoured. Throws DataError where neither is there, the files are broken or contradict each other, or the model is not BERT's WordPiece.
 */
export async function loadTokenizer(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<TextTokenizer> {
  const isFolder = (await statsOf(path))?.isDirectory() ?? false;
  const folder = isFolder ? path : dirname(path);
  const files: Record<string, string | undefined> = {};
  for (const file of TOKENIZER_FILES) {
    const isMain = file === "tokenizer.json" || file === "vocab.txt";
    if (isFolder || !isMain) files[file] = await readText(join(folder, file), signal);
  }
  if (isFolder) return tokenizerFromFiles(files, path);
  const text = await readText(path, signal);
  if (text === undefined)
    throw new DataError(
      `${path}: expected ${basename(path)}, got none`,
      "give a model folder, a tokenizer.json or a vocab.txt",
    );
  return tokenizerFromFiles({ ...files, [path.endsWith(".json") ? "tokenizer.json" : "vocab.txt"]: text }, folder);
}

async function readText(file: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  signal?.throwIfAborted();
  const stats = await statsOf(file);
  if (!stats?.isFile()) return undefined;
  if (stats.size > MAX_FILE_BYTES)
    throw new DataError(`${file}: expected at most ${MAX_FILE_BYTES} bytes, got ${stats.size}`);
  return readFile(file, { encoding: "utf8", signal }).catch((cause: NodeJS.ErrnoException) => {
    signal?.throwIfAborted();
    throw unreadable(file, cause);
  });
}

/** What lies at a path; undefined where nothing does. Throws FileError where that cannot be found out. */
const statsOf = (path: string): Promise<Stats | undefined> =>
  stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw unreadable(path, cause);
  });

const unreadable = (path: string, cause: NodeJS.ErrnoException): FileError =>
  new FileError(`${path}: expected a readable file, got ${cause.code ?? cause.message}`, undefined, { cause });
