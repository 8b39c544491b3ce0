/**
 * The cache of the Hugging Face Hub on disk, shared with Python's huggingface_hub
 * (https://huggingface.co/docs/hub/local-cache): `models--org--name/{blobs,refs,snapshots,.no_exist}`, locks beside it in `.locks/`.
 */
import { copyFile, link, readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { FileError } from "../../errors.ts";
import { makeFolder, saveFile, statOf, systemReason, writeError } from "../../io/index.ts";
import { isCommit } from "./names.ts";

/** Where the parts of one repository lie. */
export class CachedRepository {
  /** `<cache>/models--org--name`. */
  readonly folder: string;
  readonly #locks: string;

  constructor(cacheDir: string, id: string) {
    const name = `models--${id.replaceAll("/", "--")}`;
    this.folder = join(cacheDir, name);
    this.#locks = join(cacheDir, ".locks", name);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  lock(etag: string): string {
    return join(this.#locks, `${etag}.lock`);
  }

  /** The commit that a revision had when it was last asked for. Undefined where it never was. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const path = join(this.folder, "refs", revision);
    const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (/^(ENOENT|ENOTDIR|EISDIR)$/.test(cause.code ?? "")) return "";
      throw new FileError(`${path}: expected a readable file, got ${systemReason(cause)}`, undefined, { cause });
    });
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async saveCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    await this.#save(join(this.folder, "refs", revision), commit);
  }

  /** Whether the server said once that this commit has no such file. */
  async isAbsent(commit: string, name: string): Promise<boolean> {
    return (await statOf(this.#absent(commit, name))) !== undefined;
  }

  async saveAbsent(commit: string, name: string): Promise<void> {
    await this.#save(this.#absent(commit, name), "");
  }

  #absent(commit: string, name: string): string {
    return join(this.folder, ".no_exist", commit, name);
  }

  async #save(path: string, text: string): Promise<void> {
    await makeFolder(dirname(path));
    await saveFile(path, text);
  }
}

/** The calls of the file system that `placeBlob` tries, in this order. */
export interface LinkCalls {
  readonly symlink: typeof symlink;
  readonly link: typeof link;
}

/** What file systems and Windows without developer mode answer where they have no such links. */
const NO_LINKS = /^(EPERM|EACCES|ENOSYS|ENOTSUP|EOPNOTSUPP|EINVAL|EMLINK|EXDEV|UNKNOWN)$/;

/**
 * Makes a blob appear in a snapshot: a relative symbolic link; where there are none, a second name of the same file; where there are no
 * such either, a copy. What was there gives way in one step.
 */
export async function placeBlob(blob: string, path: string, calls: LinkCalls = { symlink, link }): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}.partial`;
  const ways = [
    () => calls.symlink(relative(dirname(path), blob), temporary),
    () => calls.link(blob, temporary),
    () => copyFile(blob, temporary),
  ];
  try {
    for (const [i, way] of ways.entries()) {
      const failed: NodeJS.ErrnoException | undefined = await way().then(
        () => undefined,
        (error) => error,
      );
      if (failed === undefined) break;
      if (i === ways.length - 1 || !NO_LINKS.test(failed.code ?? "")) throw failed;
    }
    await rename(temporary, path);
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}
