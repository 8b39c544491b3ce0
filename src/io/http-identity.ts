/** Whether the answers of a server are parts of one and the same file (RFC 9110, §8.8 and §13.1.5). */
import { FileError } from "../errors.ts";

/** What the first answer said of the file; later answers may add what it left out. */
export interface Identity {
  etag?: string;
  lastModified?: string;
  /** Where neither is said: the bytes that came last, to be asked for once more. */
  held?: { readonly start: number; readonly bytes: Uint8Array };
}

/** Whether the server says which version of the file it serves. */
export const isNamed = ({ etag, lastModified }: Identity): boolean => (etag ?? lastModified) !== undefined;

/** The header that asks for a range of this version only: a server that has another sends the whole. */
export function ifRange({ etag, lastModified }: Identity): { "if-range"?: string } {
  const name = etag !== undefined && !etag.startsWith("W/") ? etag : lastModified;
  return name === undefined ? {} : { "if-range": name };
}

/** Throws FileError where an answer is of another version; takes in what it says of this one. */
export function checkSame(
  url: string,
  { headers }: Response,
  identity: Identity,
  length: { readonly expected?: number; readonly total?: number | undefined } = {},
): void {
  const etag = headers.get("etag") ?? undefined;
  const lastModified = headers.get("last-modified") ?? undefined;
  const byTag = etag !== undefined && identity.etag !== undefined;
  const changed = byTag
    ? etag !== identity.etag
    : lastModified !== undefined && identity.lastModified !== undefined && lastModified !== identity.lastModified;
  if (changed) throw new FileError(`${url}: the file changed on the server while it was read`);
  const { expected, total } = length;
  if (expected !== undefined && total !== undefined && total !== expected)
    throw new FileError(`${url}: the file changed on the server while it was read: ${expected} bytes, now ${total}`);
  if (etag !== undefined) identity.etag ??= etag;
  if (lastModified !== undefined) identity.lastModified ??= lastModified;
}
