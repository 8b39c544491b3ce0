/** The files of an npm tarball, read into memory; nothing is unpacked to the disk. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar";
import { DataError } from "../../errors.ts";

/** The files of one package by path, without the leading "package/". */
export interface PackageFiles {
  readonly name: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The largest file that is read; the largest needed is 13 MB. */
const MAX_FILE_BYTES = 64 * 2 ** 20;
/** The most that is kept of one package; the most needed is 45 MB. */
const MAX_TOTAL_BYTES = 256 * 2 ** 20;

/** Reads those files of an npm tarball that `wanted` picks by path. Throws DataError where it is damaged or too large. */
export async function readTarball(
  file: string,
  name: string,
  wanted: (path: string) => boolean,
  signal?: AbortSignal,
): Promise<PackageFiles> {
  const packed = createReadStream(file, signal ? { signal } : {});
  const gunzip = createGunzip();
  packed.on("error", (error) => gunzip.destroy(error));
  let total = 0;
  const filter = (header: { name: string; size: number; type?: string }): boolean => {
    if ((header.type ?? "file") !== "file" || !wanted(inside(header.name))) return false;
    total += header.size;
    if (header.size > MAX_FILE_BYTES || total > MAX_TOTAL_BYTES) {
      throw new DataError(
        `${name}: expected files of at most ${MAX_FILE_BYTES} bytes, ${MAX_TOTAL_BYTES} in all, got ${header.name} of ${header.size}`,
      );
    }
    return true;
  };
  try {
    const entries = await unpackTar(Readable.toWeb(packed.pipe(gunzip)) as ReadableStream<Uint8Array>, {
      filter,
      strict: true,
    });
    return {
      name,
      files: new Map(entries.map(({ header, data }) => [inside(header.name), data ?? new Uint8Array(0)])),
    };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `${name}: expected an npm tarball, got ${(cause as Error).message}`,
      "npm cache verify, then try again",
      { cause },
    );
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}

/** The text of a file of a package. Throws DataError where it is missing. */
export function readText({ name, files }: PackageFiles, path: string): string {
  const bytes = files.get(path);
  if (bytes === undefined)
    throw new DataError(`${name}: expected a file ${path}, got none`, "this version of the package has another layout");
  return new TextDecoder().decode(bytes);
}

/** The parsed JSON of a file of a package. */
export function readJson(pack: PackageFiles, path: string): unknown {
  try {
    return JSON.parse(readText(pack, path));
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${pack.name} ${path}: expected JSON`, undefined, { cause });
  }
}

/** npm tarballs hold everything below one folder, mostly "package". */
function inside(path: string): string {
  return path.slice(path.indexOf("/") + 1);
}
