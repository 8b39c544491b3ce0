/**
 * The files of a tar archive with their exact byte places, so that reading can start again at any of them. Archives that
 * were put together with `cat` are read one after another, as `tar --ignore-zeros` does.
 */
import { DataError, FileError } from "../../errors.ts";
import { ByteReader, decodeUtf8 } from "../../io/byte-reader.ts";
import type { Bytes } from "../../io/bytes.ts";
import {
  BLOCK,
  bytesToName,
  isZero,
  parseHeader,
  parsePax,
  type TarHeader,
  type TarType,
  typeOf,
} from "./tar-headers.ts";

export interface TarEntry {
  /** The name, one character a byte and without `./` before it. */
  readonly id: string;
  readonly type: TarType;
  /** Where a link points, one character a byte. */
  readonly link: string;
  /** Which of several archives put together: 0, 1, … */
  readonly part: number;
  /** Where its headers begin. */
  readonly start: number;
  /** Where its bytes begin. */
  readonly offset: number;
  readonly size: number;
  /** The byte after this entry and its padding: the start of the next one. */
  readonly end: number;
  /** Only where they were asked for. */
  readonly body: Uint8Array | undefined;
}

export interface TarOptions {
  /** Reads everything in order, and keeps the bodies of these. Absent: only headers are read, by jumps. */
  readonly wanted?: ((entry: TarEntry) => boolean) | undefined;
  /** Called at the end: whether the archive has the zero blocks that mark its end. */
  readonly onEnd?: ((marked: boolean) => void) | undefined;
}

/** Reads on from a place. */
interface Forward {
  readonly position: number;
  /** The next bytes; fewer only at the end. */
  read(count: number): Promise<Uint8Array>;
  skip(count: number): Promise<void>;
  close(): Promise<void>;
}

const PIECE = 1 << 20;
const WINDOW = 1 << 16;
const MAX_NAME_BYTES = 1 << 20;
const GZIP_MAGIC = 0x1f8b;

/** All entries. Throws DataError for a damaged or cut-off archive and for names outside of it. */
export async function* tarEntries(archive: Bytes, options: TarOptions = {}): AsyncGenerator<TarEntry> {
  const { wanted, onEnd } = options;
  const reader = wanted ? streaming(archive) : seeking(archive);
  let part = 0;
  let marked = false;
  try {
    if (archive.byteLength === 0) throw new DataError(`${archive.name}: expected a tar archive, got an empty file`);
    for (;;) {
      const begin = reader.position;
      const block = await reader.read(BLOCK);
      if (block.length === 0) break;
      if (isZero(block)) {
        marked = true;
        continue;
      }
      if (marked) part++;
      marked = false;
      const header = await readEntry(archive, reader, block);
      if (header === undefined) continue;
      checkName(archive.name, header.id);
      const offset = reader.position;
      checkClaim(archive, offset, header.id, header.size);
      const padding = -header.size & (BLOCK - 1);
      const end = offset + header.size + padding;
      const entry: TarEntry = { ...header, part, start: begin, offset, end, body: undefined };
      const body = entry.type === "file" && wanted?.(entry) ? await reader.read(entry.size) : undefined;
      await reader.skip(body ? padding : entry.size + padding);
      if (end > archive.byteLength) throw new Error("it ends inside a file");
      yield { ...entry, body };
    }
    onEnd?.(marked);
  } catch (cause) {
    if (cause instanceof DataError || cause instanceof FileError) throw cause;
    if ((cause as Error)?.name === "AbortError") throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what =
      part > 0 || marked ? "another archive, or nothing, behind the end of the first" : "a whole tar archive";
    throw new DataError(
      `${archive.name} at byte ${reader.position}: expected ${what}: ${reason}`,
      await helpFor(archive),
      { cause },
    );
  } finally {
    await reader.close();
  }
}

/** The entry that begins with this block, with the long names and pax records before it; undefined for a label of a tape. */
async function readEntry(
  archive: Bytes,
  reader: Forward,
  block: Uint8Array,
): Promise<Pick<TarEntry, "id" | "type" | "link" | "size"> | undefined> {
  let pax: ReadonlyMap<string, string> = new Map();
  let longName: string | undefined;
  let longLink: string | undefined;
  for (let header = parseHeader(block); ; header = parseHeader(await readBlock(reader))) {
    if (header.flag === "x" || header.flag === "X") pax = parsePax(await readNames(archive, reader, header));
    else if (header.flag === "g") await readNames(archive, reader, header);
    else if (header.flag === "L") longName = untilNul(await readNames(archive, reader, header));
    else if (header.flag === "K") longLink = untilNul(await readNames(archive, reader, header));
    else if (header.flag === "V") return undefined;
    else {
      for (let more = header.extended; more; ) more = (await readBlock(reader))[504] === 1;
      const name = pax.get("GNU.sparse.name") ?? pax.get("path") ?? longName ?? header.name;
      const size = Number(pax.get("size") || header.size);
      if (!Number.isSafeInteger(size) || size < 0) throw new Error(`a size of ${pax.get("size")} bytes`);
      const link = pax.get("linkpath") ?? longLink ?? header.link;
      return { id: name.replace(/^(?:\.\/+)+/, ""), type: typeOf(header.flag, name, pax), link, size };
    }
  }
}

async function readBlock(reader: Forward): Promise<Uint8Array> {
  const block = await reader.read(BLOCK);
  if (block.length < BLOCK) throw new Error("it ends inside a header");
  return block;
}

/** The bytes of a header that holds names or records. */
async function readNames(archive: Bytes, reader: Forward, { size }: TarHeader): Promise<Uint8Array> {
  checkClaim(archive, reader.position, "a long name", size);
  if (size > MAX_NAME_BYTES) throw new Error(`a name of ${size} bytes`);
  const body = await reader.read(size);
  await reader.skip(-size & (BLOCK - 1));
  return body;
}

const untilNul = (body: Uint8Array): string => bytesToName(body).replace(/\0.*$/s, "");

function checkClaim(archive: Bytes, position: number, id: string, size: number): void {
  if (size > archive.byteLength - position)
    throw new DataError(
      `${archive.name} at byte ${position}: ${nameOf(id)} claims ${size} bytes, ${archive.byteLength - position} are left`,
    );
}

/** A name for people: UTF-8, or what is not UTF-8 byte by byte (`caf\xe9`). */
export const nameOf = (id: string): string =>
  decodeUtf8(Buffer.from(id, "latin1")) ?? id.replace(/[^\0-\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);

/** Over a network what is passed by is read all the same. */
function streaming(archive: Bytes): Forward {
  const reader = new ByteReader(archive);
  return {
    get position() {
      return reader.position;
    },
    read: (count) => reader.read(count),
    async skip(count) {
      for (let left = count; left > 0; ) {
        const piece = await reader.read(Math.min(left, PIECE));
        if (piece.length === 0) throw new Error("it ends inside a file");
        left -= piece.length;
      }
    },
    close: () => reader.close(),
  };
}

/** Jumps from header to header. */
function seeking(archive: Bytes): Forward {
  let position = 0;
  let window = new Uint8Array(0);
  let at = 0;
  return {
    get position() {
      return position;
    },
    async read(count) {
      if (position < at || position + count > at + window.length) {
        const end = Math.min(position + Math.max(count, WINDOW), archive.byteLength);
        window = new Uint8Array(await archive.slice(Math.min(position, end), end));
        at = position;
      }
      const bytes = window.subarray(position - at, position - at + count);
      position += bytes.length;
      return bytes;
    },
    async skip(count) {
      position += count;
    },
    close: async () => undefined,
  };
}

/** Nothing is ever written under these names, but an archive that has them is not to be trusted. */
function checkName(archive: string, id: string): void {
  const unsafe = /^([/\\]|[a-zA-Z]:)/.test(id) || id.split(/[/\\]/).includes("..") || id.includes("\u0000");
  if (unsafe)
    throw new DataError(
      `${archive}: expected names inside the archive, got ${JSON.stringify(nameOf(id))}`,
      "pack it again with relative names",
    );
}

async function helpFor(archive: Bytes): Promise<string> {
  const magic = archive.byteLength < 2 ? 0 : new DataView(await archive.slice(0, 2)).getUint16(0);
  return magic === GZIP_MAGIC ? "it is compressed: gunzip it first" : "copy or download it again, or pack it again";
}
