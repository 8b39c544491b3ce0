/** Pulls exact pieces and lines out of a stream of chunks, and knows the byte position of each. */
import { FileError } from "../errors.ts";
import type { Bytes } from "./bytes.ts";

/** Reads exact counts of bytes from `start` on. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #position: number;

  constructor(bytes: Bytes, start = 0) {
    this.#chunks = bytes.stream(start)[Symbol.asyncIterator]();
    this.#position = start;
  }

  /** The place of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** The next `count` bytes in a buffer of their own; fewer only at the end of the stream. */
  async read(count: number): Promise<Uint8Array> {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done) break;
        this.#rest = value;
        continue;
      }
      const piece = this.#rest.subarray(0, count - filled);
      out.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    this.#position += filled;
    return filled === count ? out : out.slice(0, filled);
  }

  /** Releases the file or connection. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** One line of a text file. */
export interface Line {
  /** Without its end (\n or \r\n). */
  readonly bytes: Uint8Array;
  /** The byte right after the line's end. */
  readonly end: number;
}

const NEWLINE = 10;
const RETURN = 13;
const MAX_LINE_BYTES = 1 << 26;

/** The lines from byte `start` on. A last line without an end counts; throws FileError for a line over 64 MiB. */
export async function* readLines(bytes: Pick<Bytes, "name" | "stream">, start = 0): AsyncGenerator<Line> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let position = start;
  const line = (last: Uint8Array, end: number): Line => {
    const whole = held.length === 0 ? last : concatBytes([...held, last]);
    held = [];
    heldBytes = 0;
    return { bytes: whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole, end };
  };
  for await (const chunk of bytes.stream(start)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      yield line(chunk.subarray(from, at), position + at + 1);
      from = at + 1;
    }
    if (from < chunk.length) held.push(chunk.slice(from));
    heldBytes += chunk.length - from;
    position += chunk.length;
    if (heldBytes > MAX_LINE_BYTES)
      throw new FileError(`${bytes.name}: expected lines of at most ${MAX_LINE_BYTES} bytes, got a longer one`);
  }
  if (heldBytes > 0) yield line(new Uint8Array(0), position);
}

/** The pieces as one array, copied. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The text of UTF-8 bytes, without a byte order mark; undefined where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
