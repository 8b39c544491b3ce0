/**
 * The files of a tar archive with their exact byte places, so that reading can start again at any of them. modern-tar
 * reads the headers; it is fed block by block, so the place of each header is known.
 */
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { DataError, FileError } from "../../errors.ts";
import { ByteReader } from "../../io/byte-reader.ts";
import type { Bytes } from "../../io/bytes.ts";

export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** The byte after this entry and its padding: the start of the next one. */
  readonly end: number;
  /** Absent where the entry is no plain file, or larger than `maxBytes`. */
  readonly body: Uint8Array | undefined;
}

const BLOCK = 512;
const PIECE = 1 << 20;
const GZIP_MAGIC = 0x1f8b;

/** Entries from byte `start` on. Throws DataError for a damaged or truncated archive and for names outside of it. */
export async function* tarEntries(archive: Bytes, start: number, maxBytes: number): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(archive, start);
  const decoder = createTarDecoder({ strict: true });
  const writer = decoder.writable.getWriter();
  const headers = new HeaderQueue(decoder.readable.getReader());
  const where = (): string => `${archive.name} at byte ${reader.position}`;
  try {
    for (;;) {
      const entry = await nextHeader(reader, writer, headers);
      if (entry === undefined) return;
      const { name, size, type } = entry.header;
      checkName(archive.name, name);
      if (size > archive.byteLength - reader.position)
        throw new DataError(
          `${where()}: ${name} claims ${size} bytes, ${archive.byteLength - reader.position} are left`,
        );
      await entry.body.cancel();
      const wanted = (type === "file" || type === undefined) && size <= maxBytes;
      const body = await feed(reader, writer, size, wanted);
      await feed(reader, writer, -size & (BLOCK - 1), false);
      yield { name, size, end: reader.position, body };
    }
  } catch (cause) {
    if (cause instanceof DataError || cause instanceof FileError) throw cause;
    if (archive.byteLength === 0) throw new DataError(`${archive.name}: expected a tar archive, got an empty file`);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`${where()}: expected a whole tar archive: ${reason}`, await helpFor(archive), { cause });
  } finally {
    headers.release();
    await reader.close();
  }
}

/** Feeds header blocks until the decoder has made an entry of them; undefined at the end of the archive. */
async function nextHeader(
  reader: ByteReader,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  headers: HeaderQueue,
): Promise<ParsedTarEntry | undefined> {
  for (;;) {
    const block = await reader.read(BLOCK);
    if (block.length > 0) await writer.write(block);
    if (block.length < BLOCK) {
      await writer.close();
      return headers.wait();
    }
    const entry = await headers.poll();
    if (entry) return entry;
  }
}

/** Passes `count` bytes through the decoder; returns them where they are wanted. */
async function feed(
  reader: ByteReader,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  count: number,
  wanted: boolean,
): Promise<Uint8Array | undefined> {
  if (wanted) {
    const body = await reader.read(count);
    if (body.length < count) throw new Error("it ends inside a file");
    if (count > 0) await writer.write(body);
    return body;
  }
  for (let left = count; left > 0; ) {
    const piece = await reader.read(Math.min(left, PIECE));
    if (piece.length === 0) throw new Error("it ends inside a file");
    await writer.write(piece);
    left -= piece.length;
  }
  return undefined;
}

/** The decoder's entries, with a look that does not wait: the decoder works inside `write`, so a turn is enough. */
class HeaderQueue {
  readonly #reader: ReadableStreamDefaultReader<ParsedTarEntry>;
  #pending: Promise<void> | undefined;
  #result: ReadableStreamReadResult<ParsedTarEntry> | undefined;

  constructor(reader: ReadableStreamDefaultReader<ParsedTarEntry>) {
    this.#reader = reader;
    this.#ask();
  }

  async poll(): Promise<ParsedTarEntry | undefined> {
    await Promise.resolve();
    if (this.#result === undefined) await new Promise((resolve) => setImmediate(resolve));
    return this.#take();
  }

  async wait(): Promise<ParsedTarEntry | undefined> {
    await this.#pending;
    return this.#take();
  }

  release(): void {
    this.#reader.cancel().catch(() => {});
  }

  #take(): ParsedTarEntry | undefined {
    const result = this.#result;
    if (result === undefined || result.done) return undefined;
    this.#result = undefined;
    this.#ask();
    return result.value;
  }

  #ask(): void {
    this.#pending = this.#reader.read().then((result) => {
      this.#result = result;
    });
    this.#pending.catch(() => {});
  }
}

/** Nothing is ever written under these names, but an archive that has them is not to be trusted. */
function checkName(archive: string, name: string): void {
  const unsafe = /^([/\\]|[a-zA-Z]:)/.test(name) || name.split(/[/\\]/).includes("..") || name.includes("\u0000");
  if (unsafe)
    throw new DataError(
      `${archive}: expected names inside the archive, got ${JSON.stringify(name)}`,
      "pack it again with relative names",
    );
}

async function helpFor(archive: Bytes): Promise<string> {
  const magic = archive.byteLength < 2 ? 0 : new DataView(await archive.slice(0, 2)).getUint16(0);
  return magic === GZIP_MAGIC ? "it is compressed: gunzip it first" : "copy or download it again, or pack it again";
}
