/**
 * The entries of a zip archive by range, as torch writes it: stored, not compressed (PKWARE's APPNOTE.TXT 6.3, zip64 included).
 * Strict where archives are forged: names once and without ways out of the archive, entries that do not overlap, sizes that fit.
 */
import { CheckpointError } from "../errors.ts";
import type { Bytes } from "./bytes.ts";

/** One entry. */
export interface ZipEntry {
  readonly name: string;
  /** Of its local header in the file. */
  readonly start: number;
  /** Bytes in the file. */
  readonly stored: number;
  /** Bytes of the content. */
  readonly byteLength: number;
  readonly compressed: boolean;
}

/** An open archive. */
export interface Zip {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The bytes of an entry that is stored as it is, counted from its first. Its caller stays inside of it. */
  source(entry: ZipEntry): Promise<Pick<Bytes, "slice" | "into">>;
  /** The whole of a small entry, inflated where it is compressed. Throws past `most` bytes, before they are read. */
  content(entry: ZipEntry, most: number): Promise<Uint8Array>;
  /** The content of an entry of any length, piece by piece. Throws where it has another length than the table says. */
  stream(entry: ZipEntry): AsyncIterable<Uint8Array>;
}

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const MAX_COMMENT = 0xffff;
/** Of the table of entries: 200,000 entries or so. A model has a few thousand. */
const MAX_TABLE_BYTES = 32 << 20;

const SIGNATURE = { end: 0x06054b50, locator: 0x07064b50, end64: 0x06064b50, central: 0x02014b50, local: 0x04034b50 };

/** Reads the table of entries. Throws CheckpointError for what is damaged or forged. */
export async function openZip(bytes: Bytes): Promise<Zip> {
  const table = await findTable(bytes);
  const view = new DataView(await bytes.slice(table.start, table.start + table.byteLength));
  const entries = parseTable(bytes.name, view, table);
  refuseOverlaps(bytes.name, entries, table.start);
  const starts = new Map<string, Promise<number>>();
  const startOf = (entry: ZipEntry): Promise<number> => {
    const known = starts.get(entry.name) ?? dataStart(bytes, entry);
    starts.set(entry.name, known);
    return known;
  };
  const source = async (entry: ZipEntry): Promise<Pick<Bytes, "slice" | "into">> => {
    const first = await startOf(entry);
    return {
      slice: (start, end = entry.stored) => bytes.slice(first + start, first + end),
      ...(bytes.into && { into: (start, target) => bytes.into!(first + start, target) }),
    };
  };
  async function* stream(entry: ZipEntry): AsyncGenerator<Uint8Array> {
    const { slice } = await source(entry);
    yield* contentOf(bytes.name, entry, slice);
  }
  return {
    entries: new Map(entries.map((entry) => [entry.name, entry])),
    source,
    stream,
    async content(entry, most) {
      if (entry.byteLength > most || entry.stored > most)
        throw refused(
          bytes.name,
          `${entry.name}: expected at most ${most} bytes, got ${Math.max(entry.byteLength, entry.stored)}`,
        );
      const out = new Uint8Array(entry.byteLength);
      let filled = 0;
      for await (const chunk of stream(entry)) {
        out.set(chunk, filled);
        filled += chunk.length;
      }
      return out;
    },
  };
}

const refused = (where: string, what: string): CheckpointError =>
  new CheckpointError(`${where}: ${what}`, "the archive is damaged or forged: fetch it again from where it came");

interface Table {
  readonly start: number;
  readonly byteLength: number;
  readonly count: number;
}

/** Where the table is, by the record at the end of the file. */
async function findTable(bytes: Bytes): Promise<Table> {
  const { name, byteLength } = bytes;
  const tailStart = Math.max(0, byteLength - END_BYTES - MAX_COMMENT - LOCATOR_BYTES);
  const tail = new DataView(await bytes.slice(tailStart));
  let at = tail.byteLength - END_BYTES;
  while (
    at >= 0 &&
    !(tail.getUint32(at, true) === SIGNATURE.end && at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength)
  )
    at--;
  if (at < 0) throw refused(name, "expected a zip archive, got none that is complete: its table of entries is missing");
  if (tail.getUint16(at + 4, true) !== 0 && tail.getUint16(at + 4, true) !== 0xffff)
    throw refused(name, "expected a zip archive in one file, got one of several");
  const table = {
    count: tail.getUint16(at + 10, true),
    byteLength: tail.getUint32(at + 12, true),
    start: tail.getUint32(at + 16, true),
  };
  const is64 = table.count === 0xffff || table.byteLength === 0xffffffff || table.start === 0xffffffff;
  const hasLocator = at >= LOCATOR_BYTES && tail.getUint32(at - LOCATOR_BYTES, true) === SIGNATURE.locator;
  const found = is64 && hasLocator ? await table64(bytes, tail, at - LOCATOR_BYTES) : table;
  const { start, byteLength: size, count } = found;
  if (size > MAX_TABLE_BYTES || start + size > tailStart + at || count * CENTRAL_BYTES > size)
    throw refused(
      name,
      `expected ${count} entries in a table before byte ${tailStart + at}, got ${size} bytes at ${start}`,
    );
  return found;
}

async function table64(bytes: Bytes, tail: DataView, at: number): Promise<Table> {
  const place = safe(tail.getBigUint64(at + 8, true));
  if (place + END64_BYTES > bytes.byteLength)
    throw refused(bytes.name, `expected a zip64 record, got none at ${place}`);
  const end = new DataView(await bytes.slice(place, place + END64_BYTES));
  if (end.getUint32(0, true) !== SIGNATURE.end64)
    throw refused(bytes.name, `expected a zip64 record, got none at ${place}`);
  return {
    count: safe(end.getBigUint64(32, true)),
    byteLength: safe(end.getBigUint64(40, true)),
    start: safe(end.getBigUint64(48, true)),
  };
}

/** No file is as long: such sizes fail the checks that follow. */
const MOST_BYTES = 2 ** 50;
const safe = (n: bigint): number => (n > BigInt(MOST_BYTES) ? MOST_BYTES : Number(n));

function parseTable(where: string, view: DataView, { count }: Table): ZipEntry[] {
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== SIGNATURE.central)
      throw refused(where, `expected ${count} entries, got ${i}`);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const next = at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes;
    if (next > view.byteLength) throw refused(where, `expected ${count} entries, got ${i} and a part of one`);
    const name = checkName(where, new Uint8Array(view.buffer, at + CENTRAL_BYTES, nameBytes));
    if (names.has(name)) throw refused(where, `expected each name once, got "${name}" twice`);
    names.add(name);
    entries.push(parseEntry(where, name, view, at));
    at = next;
  }
  return entries;
}

/** A name that stays inside of the archive. */
function checkName(where: string, raw: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    throw refused(where, "expected names in UTF-8");
  }
  const parts = name.split("/");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name of a file has none
  if (name === "" || /[\u0000-\u001f\\]/.test(name) || /^([a-zA-Z]:|\/)/.test(name) || parts.includes(".."))
    throw refused(where, `expected names inside of the archive, got ${JSON.stringify(name.slice(0, 200))}`);
  return name;
}

function parseEntry(where: string, name: string, view: DataView, at: number): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & 1) throw refused(where, `${name}: expected no encryption`);
  if (method !== 0 && method !== 8)
    throw refused(where, `${name}: expected an entry that is stored or deflated, got method ${method}`);
  const [stored, byteLength, start] = sizes(where, name, view, at);
  if (method === 0 && stored !== byteLength)
    throw refused(where, `${name}: expected ${byteLength} bytes, got ${stored}`);
  return { name, start, stored, byteLength, compressed: method === 8 };
}

/** Bytes in the file, bytes of content, start of the local header; those that 32 bits do not hold are in the zip64 field. */
function sizes(where: string, name: string, view: DataView, at: number): [number, number, number] {
  const short = {
    byteLength: view.getUint32(at + 24, true),
    stored: view.getUint32(at + 20, true),
    start: view.getUint32(at + 42, true),
  };
  const wide = Object.values(short).filter((n) => n === 0xffffffff).length;
  if (wide === 0) return [short.stored, short.byteLength, short.start];
  const nameBytes = view.getUint16(at + 28, true);
  const end = at + CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true);
  let field = at + CENTRAL_BYTES + nameBytes;
  while (field + 4 <= end && view.getUint16(field, true) !== 1) field += 4 + view.getUint16(field + 2, true);
  if (field + 4 + 8 * wide > end) throw refused(where, `${name}: expected its size in a zip64 field, got none`);
  let next = field + 4;
  const take = (n: number): number => {
    if (n !== 0xffffffff) return n;
    next += 8;
    return safe(view.getBigUint64(next - 8, true));
  };
  const [byteLength, stored, start] = [take(short.byteLength), take(short.stored), take(short.start)];
  return [stored, byteLength, start];
}

/** Entries that share bytes are how small archives unpack to huge ones, and how one storage shows in another. */
function refuseOverlaps(where: string, entries: readonly ZipEntry[], tableStart: number): void {
  let end = 0;
  let before = "";
  for (const { name, start, stored } of [...entries].sort((a, b) => a.start - b.start)) {
    if (start < end) throw refused(where, `${name}: expected bytes of its own, got some of ${before}`);
    end = start + LOCAL_BYTES + stored;
    before = name;
    if (end > tableStart)
      throw refused(where, `${name}: expected ${stored} bytes at ${start}, got the end of the entries`);
  }
}

/** Where an entry's bytes start: after its local header, which must name the same entry. */
async function dataStart(bytes: Bytes, { name, start, stored }: ZipEntry): Promise<number> {
  const expected = new TextEncoder().encode(name);
  const raw = await bytes.slice(start, Math.min(start + LOCAL_BYTES + expected.length, bytes.byteLength));
  const header = new DataView(raw);
  if (raw.byteLength < LOCAL_BYTES || header.getUint32(0, true) !== SIGNATURE.local)
    throw refused(bytes.name, `${name}: expected an entry at ${start}, got none`);
  const found = new Uint8Array(raw, LOCAL_BYTES);
  if (header.getUint16(26, true) !== expected.length || !expected.every((byte, i) => found[i] === byte))
    throw refused(bytes.name, `${name}: expected one name, got another before its bytes`);
  const data = start + LOCAL_BYTES + expected.length + header.getUint16(28, true);
  if (data + stored > bytes.byteLength)
    throw refused(bytes.name, `${name}: expected ${stored} bytes, got the end of the file`);
  return data;
}

/** So much of an entry is read at once. */
const PIECE_BYTES = 1 << 20;

async function* contentOf(where: string, entry: ZipEntry, slice: Bytes["slice"]): AsyncGenerator<Uint8Array> {
  const { name, byteLength, stored, compressed } = entry;
  const wrong = (): CheckpointError =>
    refused(where, `${name}: expected ${byteLength} bytes when inflated, got others`);
  let failure: unknown;
  async function* pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    try {
      for (let at = 0; at < stored; at += PIECE_BYTES)
        yield new Uint8Array(await slice(at, Math.min(at + PIECE_BYTES, stored)));
    } catch (error) {
      failure = error; // of the file itself, not of what is in it
      throw error;
    }
  }
  let done = 0;
  try {
    for await (const chunk of compressed ? inflated(pieces()) : pieces()) {
      done += chunk.length;
      if (done > byteLength) throw wrong();
      yield chunk;
    }
  } catch (error) {
    throw failure ?? (error instanceof CheckpointError ? error : wrong());
  }
  if (done !== byteLength) throw wrong();
}

async function* inflated(pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await pieces.return(undefined)),
  });
  const reader = source.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
