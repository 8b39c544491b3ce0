/** A model's files, wherever they are: a folder, a run, one file, or a repository of the Hugging Face Hub. */

import type { HttpOptions } from "../../io/http-attempts.ts";
import type { Bytes } from "../../io/index.ts";
import type { RepositoryFile } from "./facts.ts";
import type { OnProgress } from "./progress.ts";

/** Where a repository is looked for, and how patiently. The patience is HttpOptions'. */
export interface RepositoryOptions extends Omit<HttpOptions, "headers"> {
  /** A branch, a tag or a commit of the Hub. Default "main". */
  readonly revision?: string | undefined;
  /** A folder inside, from which all names count. */
  readonly subfolder?: string | undefined;
  /** Default: `hubCacheDir()`. */
  readonly cacheDir?: string | undefined;
  /** Default: `hubToken()`. False sends none. */
  readonly token?: string | false | undefined;
  /** Default: `hubEndpoint()`. */
  readonly endpoint?: string | undefined;
  /** Nothing is downloaded. Default: `isOffline()`. */
  readonly localFilesOnly?: boolean | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Instead of the process's own; for tests. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** Files by name. Names have slashes between their parts and count from the subfolder. */
export interface Repository {
  readonly kind: "folder" | "file" | "hub";
  /** As people call it: the path, or `org/name`. */
  readonly name: string;
  /** The folder with the files. Those of the Hub appear in it when they are asked for. */
  readonly dir: string;
  /** The file itself, where a single one was named; `dir` is then the folder around it. */
  readonly file: string | undefined;
  /** The commit, for a repository of the Hub. */
  readonly revision: string | undefined;
  /** What it holds, by name. Without the network: what of it is in the cache. */
  files(): Promise<readonly RepositoryFile[]>;
  has(name: string): Promise<boolean>;
  /** The local path of a file, which is downloaded if need be. Throws NoSuchFile, or FileError. */
  path(name: string): Promise<string>;
  /** The local paths of several files, a few at a time; events tell of all of them together, too. */
  paths(names: readonly string[]): Promise<string[]>;
  /** The bytes of a file: `path`, opened. The caller closes them. */
  open(name: string): Promise<Bytes>;
  /** The bytes of a file by ranges, without downloading what is not read: for headers of large files. The caller closes them. */
  peek(name: string): Promise<Bytes>;
}
