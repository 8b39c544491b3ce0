/** Brings an index up to date: looks into files that are new or changed, and embeds those whose bytes are. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { FileError } from "../../errors.ts";
import { readBytes } from "../../io/index.ts";
import { mapAhead } from "../ahead.ts";
import { embedPictures, type Loaded } from "../embed-pictures.ts";
import type { Encoder } from "../encoder.ts";
import { type BadInput, MAX_IMAGE_BYTES, reasonOf } from "../inputs/index.ts";
import type { VectorLog } from "../vector-log.ts";
import { applyRecords, type FileRecord, type FoundFile, type IndexedFile, isStale } from "./files.ts";

/** What an update did, in files. */
export interface Changes {
  readonly added: number;
  readonly changed: number;
  /** Found under another name: their rows were kept. */
  readonly moved: number;
  readonly deleted: number;
  readonly unchanged: number;
  /** Went through the model. */
  readonly encoded: number;
}

/** What an update works on. */
export interface UpdateJob {
  readonly folder: string;
  readonly log: VectorLog<FileRecord>;
  /** What the log knows; brought up to date. */
  readonly known: Map<string, IndexedFile>;
  readonly found: ReadonlyMap<string, FoundFile>;
  readonly encoder: Encoder;
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Files looked into, and how many there are to look into. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const READS_AHEAD = 16;
/** Records without rows that are written together. */
const PENDING = 1000;

interface Item extends FoundFile {
  readonly path: string;
  readonly hash: string;
}

/** Updates the log, batch by batch. `unread`: files that cannot be read now; the index remembers nothing of them. */
export async function updateIndex(job: UpdateJob): Promise<{ changes: Changes; unread: BadInput[] }> {
  const { known, found, encoder, onProgress, workers, signal } = job;
  const gone = [...known.keys()].filter((path) => !found.has(path));
  const stale = [...found].filter(([path, file]) => isStale(known.get(path), file)).map(([path]) => path);
  const counts = { added: 0, changed: 0, moved: 0, deleted: gone.length, encoded: 0 };
  const update = new Update(job, gone, counts);
  for await (const outcomes of embedPictures(update.pictures(stale), encoder, {
    workers: few(stale, workers),
    signal,
  })) {
    await update.commit(outcomes.map(({ item, ...rest }) => ({ item, ...rest })));
    onProgress?.(update.done, stale.length);
  }
  await update.commit([]);
  onProgress?.(stale.length, stale.length);
  const unchanged = found.size - counts.added - counts.changed - counts.moved - update.unread.length;
  return { changes: { ...counts, deleted: counts.deleted - counts.moved, unchanged }, unread: update.unread };
}

/** Threads take longer to start than a handful of pictures to decode. */
const few = (files: readonly string[], workers: number | undefined): number | undefined =>
  files.length <= 16 ? 0 : workers;

type Counts = { added: number; changed: number; moved: number; encoded: number };

type Done = { readonly item: Item; readonly row?: Float32Array; readonly reason?: string };

class Update {
  readonly unread: BadInput[] = [];
  done = 0;
  readonly #job: UpdateJob;
  readonly #counts: Counts;
  /** Rows of files that are gone, by their bytes. */
  readonly #lost = new Map<string, number>();
  readonly #pending: FileRecord[];
  readonly #seen = Date.now();

  constructor(job: UpdateJob, gone: readonly string[], counts: Counts) {
    this.#job = job;
    this.#counts = counts;
    this.#pending = gone.map((path) => ({ path, gone: true }));
    for (const path of gone) {
      const { hash, row } = job.known.get(path)!;
      if (row !== undefined) this.#lost.set(hash, row);
    }
  }

  /** The pictures among these files that have to be embedded; of the others it is recorded what they are now. */
  async *pictures(paths: readonly string[]): AsyncGenerator<Loaded<Item>> {
    const { folder, signal, known } = this.#job;
    const reads = mapAhead(paths, READS_AHEAD, (path) => readFile(folder, path, signal));
    for await (const { path, image, reason } of reads) {
      this.done++;
      if (image === undefined) {
        this.unread.push({ key: path, reason });
        if (known.has(path)) this.#pending.push({ path, gone: true });
        continue;
      }
      const item = { path, ...this.#job.found.get(path)!, hash: hashOf(image) };
      const before = known.get(path);
      const row = before?.hash === item.hash ? before.row : before ? undefined : this.#lost.get(item.hash);
      if (before?.hash === item.hash) {
        const now = this.#record(item, before);
        const asBefore = before.size === now.size && before.mtime === now.mtime;
        if (!asBefore || !isStale(now, now)) this.#pending.push(now); // a time in the future stays one
      } else if (row !== undefined) {
        this.#counts.moved++;
        this.#lost.delete(item.hash);
        this.#pending.push(this.#record(item, { row }));
      } else yield { item, key: path, image };
      if (this.#pending.length >= PENDING) await this.commit([]); // whoever asks for pictures is not writing
    }
  }

  /** Writes what is pending and a batch of pictures. */
  async commit(batch: readonly Done[]): Promise<void> {
    const { log, known, encoder } = this.#job;
    const rows = new Float32Array(batch.filter(({ row }) => row).length * encoder.width);
    let next = log.rows;
    const fresh = batch.map(({ item, row, reason }): FileRecord => {
      this.#counts[known.has(item.path) ? "changed" : "added"]++;
      if (row === undefined) return this.#record(item, { bad: reason ?? "" });
      rows.set(row, (next - log.rows) * encoder.width);
      this.#counts.encoded++;
      return this.#record(item, { row: next++ });
    });
    const records = [...this.#pending.splice(0), ...fresh];
    if (records.length === 0) return;
    await log.append(records, rows);
    applyRecords(known, records);
  }

  #record({ path, size, mtime, hash }: Item, { row, bad }: { row?: number; bad?: string }): IndexedFile {
    return {
      path,
      size,
      mtime,
      seen: this.#seen,
      hash,
      ...(row !== undefined && { row }),
      ...(bad !== undefined && { bad }),
    };
  }
}

async function readFile(
  folder: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ path: string; image?: Uint8Array; reason: string }> {
  try {
    return { path, image: await readBytes(join(folder, path), MAX_IMAGE_BYTES, { signal }), reason: "" };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { path, reason: reasonOf(error, join(folder, path)) };
  }
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
