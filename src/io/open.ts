/** Opens bytes by their location, and the small questions that locations answer. */
import { fileURLToPath } from "node:url";
import { FileError } from "../errors.ts";
import type { Bytes } from "./bytes.ts";
import { openFile } from "./file.ts";
import { openHttp } from "./http.ts";
import type { HttpOptions } from "./http-attempts.ts";

/** Whether a location is an HTTP(S) address rather than a path. */
export const isUrl = (location: string): boolean => /^https?:\/\//i.test(location);

/** The path of a `file:` address; other locations as they are. Throws FileError for an address that names no file of this machine. */
export function localPath(location: string): string {
  if (!/^file:\/\//i.test(location)) return location;
  try {
    return fileURLToPath(location);
  } catch (cause) {
    throw new FileError(
      `${location}: expected the address of a local file, got ${(cause as Error).message}`,
      undefined,
      {
        cause,
      },
    );
  }
}

/** Opens a local path or an HTTP(S) URL. Throws FileError if it is missing or unreadable. */
export const openBytes = (location: string, options: HttpOptions = {}): Promise<Bytes> =>
  isUrl(location) ? openHttp(location, options) : openFile(location, options.signal);

/** The whole of a file or URL. Throws FileError past `maxBytes`, before anything is allocated. */
export async function readBytes(location: string, maxBytes: number, options: HttpOptions = {}): Promise<Uint8Array> {
  const bytes = await openBytes(location, options);
  try {
    if (bytes.byteLength > maxBytes)
      throw new FileError(`${location}: expected at most ${maxBytes} bytes, got ${bytes.byteLength}`);
    return new Uint8Array(await bytes.slice(0));
  } finally {
    await bytes.close();
  }
}

/** `location` seen from the folder or URL `root`; absolute paths and URLs stay as they are. */
export function resolveLocation(root: string, location: string): string {
  if (isUrl(location) || /^([/\\]|[a-zA-Z]:[/\\])/.test(location)) return location;
  return root === "" || root.endsWith("/") ? root + location : `${root}/${location}`;
}

/** The part of a path or URL up to its last slash, without it; "" where there is none. */
export function parentOf(location: string): string {
  const plain = isUrl(location) ? location.replace(/[?#].*$/, "") : location;
  const cut = Math.max(plain.lastIndexOf("/"), plain.lastIndexOf("\\"));
  return cut < 0 ? "" : cut === 0 ? "/" : plain.slice(0, cut);
}

/** The last part of a path or URL. */
export const baseName = (location: string): string =>
  (isUrl(location) ? location.replace(/[?#].*$/, "") : location).split(/[/\\]/).filter(Boolean).at(-1) ?? location;
