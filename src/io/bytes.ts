/** Bytes by range, wherever they lie: one contract for files, HTTP and memory (hyparquet's, with a stream beside it). */
import { FileError } from "../errors.ts";

/** Bytes that are read by range, wherever they are stored. */
export interface Bytes {
  /** A path or URL, for messages. */
  readonly name: string;
  readonly byteLength: number;
  /** Of a server: the ETag or the date of these bytes, which changes when other bytes take their place. */
  readonly version?: string | undefined;
  /** The bytes start..end−1 (to the end unless said), in a buffer of their own. Throws FileError if the place ends before `end`. */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
  /** Fills `target` with the bytes from `start` on, where that is cheaper than a buffer of their own; absent where it is not. */
  into?(start: number, target: Uint8Array): Promise<void>;
  /** The bytes from `start` on, in pieces. */
  stream(start?: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Throws FileError for a range that is not inside of `byteLength` bytes. */
export function checkRange(name: string, start: number, end: number, byteLength: number): void {
  if (start < 0 || end > byteLength || start > end)
    throw new FileError(`${name}: expected bytes ${start}..${end}, got a file of ${byteLength} bytes`);
}
