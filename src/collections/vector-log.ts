/**
 * Rows of floats and what belongs to them, in two files that only grow: `*.f32` holds the rows, `log.jsonl` a line for each batch, with
 * the checksums of the line and of its rows. Rows are written before their line is, so a process that is killed loses at most the
 * batch that it was writing; a power cut can cost the last seconds. One process writes at a time (io/lock.ts).
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { DataError } from "../errors.ts";
import { isRecord, type JsonObject, makeFolder, saveFile, statOf, writeError } from "../io/index.ts";

/** What a log says of itself in its first line. */
export interface LogHeader {
  /** Floats in a row. */
  readonly width: number;
  /** What the rows are of: a log is only continued under the same. */
  readonly about: JsonObject;
}

/** A batch: some records, and rows for those of them that have one. */
export interface LogBatch<R> {
  readonly records: readonly R[];
  /** Number of its first row. */
  readonly first: number;
  readonly count: number;
  /** CRC-32 of the bytes of its rows. */
  readonly crc: number;
}

/** An open log. */
export interface VectorLog<R> extends AsyncDisposable {
  readonly header: LogHeader;
  readonly batches: readonly LogBatch<R>[];
  /** Changes whenever the log is rewritten: rows keep their numbers as long as it is the same. */
  readonly generation: string;
  /** Rows so far. */
  readonly rows: number;
  /** Adds a batch: `rows` is (count, width). When the promise resolves it outlives the process. */
  append(records: readonly R[], rows: Float32Array): Promise<void>;
  /** All rows, (rows, width), or those of some batches. Throws DataError where they are not those that were written. */
  read(batches?: readonly LogBatch<R>[]): Promise<Float32Array>;
  /** Some rows, (count, width), as they are. */
  readRows(first: number, count: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** How often written batches are flushed: a flush takes longer than a small model needs for a batch. */
const SYNC_MS = 2000;
const LOG = "log.jsonl";
/** A folder of pictures can come from anybody, with an index in it: its rows lie beside its log, and nowhere else. */
const ROWS_FILE = /^[\w-]+\.f32$/;
const VERSION = 1;

interface Contents {
  readonly header: LogHeader;
  /** Name of the file with the rows. */
  readonly rowsFile: string;
  readonly batches: readonly LogBatch<unknown>[];
  /** Bytes of the log up to its last whole line. */
  readonly bytes: number;
}

/**
 * Opens the log in `folder`, or begins one. A last batch that was cut off is dropped. Throws DataError where the files are damaged, or
 * are not a log of this version; FileError where they cannot be read or written.
 */
export async function openVectorLog<R>(folder: string, header: LogHeader): Promise<VectorLog<R>> {
  await makeFolder(folder);
  const contents = (await readContents(folder)) ?? (await begin(folder, header));
  return openLog<R>(folder, contents);
}

/** Takes a log away. Only its one writer may call it. */
export async function removeVectorLog(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (name === LOG || name.endsWith(".f32")) await rm(join(folder, name), { force: true });
}

/** Writes the log anew with these batches, whole or not at all. */
export async function rewriteVectorLog<R>(
  folder: string,
  header: LogHeader,
  batches: AsyncIterable<{ readonly records: readonly R[]; readonly rows: Float32Array }>,
): Promise<VectorLog<R>> {
  const rowsFile = `${randomUUID()}.f32`;
  const lines: string[] = [headerLine(header, rowsFile)];
  let first = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const { records, rows } of batches) {
      const bytes = bytesOf(rows);
      const count = rows.length / header.width;
      lines.push(formatLine({ first, count, crc: crc32(bytes), records }));
      first += count;
      yield bytes;
    }
  }
  await saveFile(join(folder, rowsFile), chunks());
  await saveFile(join(folder, LOG), lines.join(""));
  await removeOthers(folder, rowsFile);
  return openLog(folder, (await readContents(folder))!);
}

async function begin(folder: string, header: LogHeader): Promise<Contents> {
  const rowsFile = `${randomUUID()}.f32`;
  const line = headerLine(header, rowsFile);
  await saveFile(join(folder, rowsFile), "");
  await saveFile(join(folder, LOG), line);
  await removeOthers(folder, rowsFile);
  return { header, rowsFile, batches: [], bytes: Buffer.byteLength(line) };
}

/** Removes what a process left that was killed while it rewrote the log. */
async function removeOthers(folder: string, rowsFile: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith(".f32") && name !== rowsFile) await rm(join(folder, name), { force: true });
}

const headerLine = ({ width, about }: LogHeader, rowsFile: string): string =>
  formatLine({ format: "flava-vectors", version: VERSION, width, rows: rowsFile, about });

/** A line begins with the checksum of what follows. */
const formatLine = (value: object): string => {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
};

const bytesOf = (rows: Float32Array): Uint8Array => new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);

async function readContents(folder: string): Promise<Contents | undefined> {
  const path = join(folder, LOG);
  if (!(await statOf(path))) return undefined;
  const all = await readFile(path); // as bytes: no string is as long as the log of millions of pictures
  const damaged = (what: string): DataError => new DataError(`${path}: expected the log of an index, got ${what}`);
  const lines: Buffer[] = []; // whole ones: what follows the last was cut off
  for (let at = 0, end = all.indexOf(10); end >= 0; at = end + 1, end = all.indexOf(10, at))
    lines.push(all.subarray(at, end));
  const values = lines.map(parseLine);
  if (values.length > 1 && values.at(-1) === undefined) values.pop(); // a last line of which only parts reached the disk
  const wrong = values.indexOf(undefined);
  if (values.length === 0 || wrong >= 0) throw damaged(`a damaged line ${Math.max(wrong, 0) + 1}`);
  const [head, ...batches] = values as [Record<string, unknown>, ...LogBatch<unknown>[]];
  if (head.format !== "flava-vectors" || head.version !== VERSION || !isRecord(head.about))
    throw damaged(`version ${head.version} of ${head.format}`);
  const { width, about, rows } = head as { width: number; about: JsonObject; rows: string };
  if (typeof rows !== "string" || !ROWS_FILE.test(rows)) throw damaged(`rows in ${JSON.stringify(rows)}`);
  const needed = batches.reduce((n, { count }) => n + count, 0) * width * 4;
  const found = (await statOf(join(folder, rows)))?.size ?? -1;
  if (found < needed) throw damaged(found < 0 ? `no file ${rows}` : `${found} bytes of rows instead of ${needed}`);
  const bytes = lines.slice(0, values.length).reduce((n, line) => n + line.length + 1, 0);
  return { header: { width, about }, rowsFile: rows, batches, bytes };
}

function parseLine(line: Buffer): Record<string, unknown> | undefined {
  const json = line.subarray(9);
  if (line.toString("latin1", 0, 8) !== crc32(json).toString(16).padStart(8, "0")) return undefined;
  return JSON.parse(json.toString()) as Record<string, unknown>;
}

async function openLog<R>(folder: string, contents: Contents): Promise<VectorLog<R>> {
  const { header, rowsFile } = contents;
  const [rowsPath, logPath] = [join(folder, rowsFile), join(folder, LOG)];
  const batches = [...contents.batches] as LogBatch<R>[];
  const rowBytes = 4 * header.width;
  let bytes = contents.bytes;
  let rows = batches.reduce((n, { count }) => n + count, 0);
  const [rowsHandle, logHandle] = [await open(rowsPath, "r+"), await open(logPath, "r+")];
  let synced = performance.now();
  const sync = async (): Promise<void> => {
    await rowsHandle.datasync();
    await logHandle.datasync();
    synced = performance.now();
  };
  let changed = false;
  const close = async (): Promise<void> => {
    if (changed) await sync();
    changed = false;
    await rowsHandle.close();
    await logHandle.close();
  };
  return {
    header,
    batches,
    generation: rowsFile.replace(/\.f32$/, ""),
    get rows() {
      return rows;
    },
    async append(records, more) {
      const data = bytesOf(more);
      const batch = { first: rows, count: more.length / header.width, crc: crc32(data), records };
      const text = Buffer.from(formatLine(batch));
      await writeAt(rowsPath, rowsHandle, data, rows * rowBytes);
      await writeAt(logPath, logHandle, text, bytes);
      rows += batch.count;
      bytes += text.length;
      batches.push(batch);
      changed = true;
      if (performance.now() - synced > SYNC_MS) await sync();
    },
    async readRows(first, count) {
      const out = new Float32Array(count * header.width);
      await readAt(rowsPath, rowsHandle, bytesOf(out), first * rowBytes);
      return out;
    },
    async read(some = batches) {
      const out = new Float32Array(some.reduce((n, { count }) => n + count, 0) * header.width);
      let at = 0;
      for (const { first, count, crc } of some) {
        const part = out.subarray(at, at + count * header.width);
        await readAt(rowsPath, rowsHandle, bytesOf(part), first * rowBytes);
        if (crc32(bytesOf(part)) !== crc)
          throw new DataError(`${rowsPath}: expected the rows ${first}..${first + count - 1} as written, got others`);
        at += part.length;
      }
      return out;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What a killed process left behind `position` is overwritten and cut off. */
async function writeAt(path: string, handle: FileHandle, data: Uint8Array, position: number): Promise<void> {
  try {
    for (let done = 0; done < data.length; )
      done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
    await handle.truncate(position + data.length);
  } catch (error) {
    throw writeError(path, error);
  }
}

async function readAt(path: string, handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new DataError(`${path}: expected ${into.length} bytes at ${position}, got ${done}`);
    done += bytesRead;
  }
}
