/**
 * Pictures and texts to a file of embeddings, in order. What is done is kept in `FILE.partial/` (vector-log.ts) until the file is whole,
 * so that a process that was stopped goes on where it was.
 */
import { rm } from "node:fs/promises";
import { ConfigError, DataError, FileError } from "../../errors.ts";
import { lockFolder, makeFolder, PARTIAL, statOf } from "../../io/index.ts";
import { embedNamed } from "../embed-named.ts";
import type { Outcome } from "../embed-pictures.ts";
import type { Encoder } from "../encoder.ts";
import type { BadInput, Input } from "../inputs/index.ts";
import { openVectorLog, type VectorLog } from "../vector-log.ts";
import { formatOf, type RowInfo, writeTable } from "./formats.ts";

/** What is embedded, and where to. */
export interface EmbedJob {
  readonly inputs: readonly Input[];
  readonly encoder: Encoder;
  /** A name that ends in .parquet, .jsonl, .npy or .safetensors. */
  readonly out: string;
  /** What made the embeddings, for the file: the model's name. */
  readonly about?: Readonly<Record<string, string>> | undefined;
  /** Go on with what an earlier process left; without it that is an error. */
  readonly resume?: boolean | undefined;
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Pictures and texts that are done, of `total`; `start` were done before. */
  readonly onProgress?: ((done: number, total: number, start: number) => void) | undefined;
}

/** What became of it. */
export interface EmbedResult {
  /** The file, and the one with its keys where it has no place for them. */
  readonly files: readonly string[];
  readonly images: number;
  readonly texts: number;
  readonly width: number;
  /** Done by an earlier process. */
  readonly resumed: number;
  readonly bad: readonly BadInput[];
}

interface Item {
  readonly info: RowInfo;
  /** What decides about the row: the picture's place, or the text. */
  readonly content: string;
}

const PART_ROWS = 1024;

/** Throws ConfigError for a file name or a resumption that cannot be, FileError where nothing can be written. */
export async function embedToFile(job: EmbedJob): Promise<EmbedResult> {
  const { out, encoder, resume = false } = job;
  formatOf(out);
  if ((await statOf(out))?.isDirectory()) throw new FileError(`${out}: expected a file to write, got a folder`);
  const work = `${out}${PARTIAL}`;
  const items = job.inputs.flatMap(itemsOf);
  await makeFolder(work);
  await using _ = await lockFolder(work);
  await using log = await openWork(work, encoder, resume);
  const rows = rowsOf(log);
  const before = items.filter((item) => rows.has(idOf(item))).length;
  const bad = await embedMissing(job, items, log, rows);
  const done = items.filter((item) => rows.has(idOf(item)));
  const images = done.filter(({ info }) => info.kind === "image").length;
  const about = { ...job.about, encoder: encoder.identity };
  const table = { count: done.length, images, width: encoder.width, about, parts: () => parts(done, rows, log) };
  const files = done.length > 0 ? await writeTable(out, table, job.signal) : [];
  await rm(work, { recursive: true, force: true });
  return { files, images, texts: done.length - images, width: encoder.width, resumed: before, bad };
}

function itemsOf({ key, image, text }: Input): Item[] {
  const items: Item[] = [];
  if (image !== undefined) items.push({ info: { key, kind: "image" }, content: image });
  if (text !== undefined) items.push({ info: { key, kind: "text", text }, content: text });
  return items;
}

/** The same picture or text, given twice, is embedded once. */
const idOf = ({ info, content }: Item): string => `${info.kind} ${content}`;

async function openWork(work: string, encoder: Encoder, resume: boolean): Promise<VectorLog<string>> {
  const header = { width: encoder.width, about: { encoder: encoder.identity } };
  const damaged = (cause: unknown): never => {
    if (!(cause instanceof DataError) && !(cause instanceof SyntaxError)) throw cause;
    const what = `${work}: what an earlier process left is damaged: ${cause.message}`;
    throw new DataError(what, `remove ${work}`, { cause });
  };
  const log = await openVectorLog<string>(work, header).catch(damaged);
  try {
    if (log.rows > 0 && !resume)
      throw new ConfigError(
        `${work}: an earlier process stopped after ${log.rows} embeddings`,
        `add --resume to go on, or remove ${work} to start afresh`,
      );
    if (JSON.stringify(log.header) !== JSON.stringify(header))
      throw new ConfigError(`${work}: expected embeddings of this model, got those of another`, `remove ${work}`);
    for (const batch of log.batches) await log.read([batch]).catch(damaged);
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** The row of each that is done. */
function rowsOf(log: VectorLog<string>): Map<string, number> {
  const rows = new Map<string, number>();
  for (const { records, first } of log.batches) for (const [i, id] of records.entries()) rows.set(id, first + i);
  return rows;
}

/** Embeds what has no row yet. Returns what could not be. */
async function embedMissing(
  job: EmbedJob,
  items: readonly Item[],
  log: VectorLog<string>,
  rows: Map<string, number>,
): Promise<BadInput[]> {
  const missing = [...new Map(items.map((item) => [idOf(item), item]))].flatMap(([id, item]) =>
    rows.has(id) ? [] : item,
  );
  const start = items.length - missing.length;
  const bad: BadInput[] = [];
  let done = start;
  for await (const outcomes of embedItems(missing, job)) {
    await keepRows(outcomes, log, rows);
    for (const one of outcomes) if ("reason" in one) bad.push({ key: one.item.info.key, reason: one.reason });
    job.signal?.throwIfAborted();
    done += outcomes.length;
    job.onProgress?.(done, items.length, start);
  }
  return bad;
}

/** The pictures, then the texts, a batch at a time. */
async function* embedItems(
  items: readonly Item[],
  { encoder, workers, signal }: EmbedJob,
): AsyncGenerator<Outcome<Item>[]> {
  const of = (kind: RowInfo["kind"]): Item[] => items.filter(({ info }) => info.kind === kind);
  const pictures = of("image").map((item) => ({ item, key: item.info.key, image: item.content }));
  yield* embedNamed(pictures, encoder, { workers, signal });
  const { batchSize, width } = encoder;
  const texts = of("text");
  for (let from = 0; from < texts.length; from += batchSize) {
    const part = texts.slice(from, from + batchSize);
    const contents = part.map(({ content }) => content);
    const found = await encoder.texts(contents, signal);
    yield part.map((item, i) => ({ item, row: found.subarray(i * width, (i + 1) * width) }));
  }
}

/** Appends the rows of a batch to the log, and notes in `rows` where they are. */
async function keepRows(
  outcomes: readonly Outcome<Item>[],
  log: VectorLog<string>,
  rows: Map<string, number>,
): Promise<void> {
  const done = outcomes.flatMap((one) => ("row" in one ? [one] : []));
  if (done.length === 0) return;
  const { width } = log.header;
  const ids = done.map(({ item }) => idOf(item));
  const all = new Float32Array(done.length * width);
  for (const [i, { row }] of done.entries()) {
    all.set(row, i * width);
    rows.set(ids[i]!, log.rows + i);
  }
  await log.append(ids, all);
}

/** The rows in the order of the items, read where they lie. */
async function* parts(items: readonly Item[], rows: ReadonlyMap<string, number>, log: VectorLog<string>) {
  const { width } = log.header;
  for (let from = 0; from < items.length; from += PART_ROWS) {
    const part = items.slice(from, from + PART_ROWS);
    const places = part.map((item) => rows.get(idOf(item))!);
    const out = new Float32Array(part.length * width);
    for (let i = 0; i < places.length; ) {
      let end = i + 1;
      while (end < places.length && places[end] === places[end - 1]! + 1) end++;
      out.set(await log.readRows(places[i]!, end - i), i * width);
      i = end;
    }
    yield { infos: part.map(({ info }) => info), rows: out };
  }
}
