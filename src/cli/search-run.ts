/** A search: the index is brought up to date, the query embedded, the nearest pictures shown. */
import { join } from "node:path";
import type { FlavaModel } from "../api/index.ts";
import {
  type Encoder,
  embedPictures,
  FEW_PICTURES,
  type FolderIndex,
  loadInput,
  modelEncoder,
  openFolderIndex,
} from "../collections/index.ts";
import { indexCacheDir } from "../collections/search/place.ts";
import { ConfigError, DataError } from "../errors.ts";
import { isUrl, saveFile } from "../io/index.ts";
import { Cancelled, type Io } from "./command.ts";
import { formatCount, formatDuration } from "./progress.ts";
import type { SearchOptions } from "./search.ts";
import { openUsed, percent, sayPassed, sayUnknown, table } from "./use-model.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const pageMaker = () => import("./search-page.ts");

/** A picture that was found. */
export interface Result {
  readonly path: string;
  /** Cosine with the query. */
  readonly score: number;
  /** Probability that it fits the words; only of those that were judged. */
  readonly match?: number;
}

/** Milliseconds. */
interface Timings {
  /** Until the model can be asked. */
  model: number;
  /** Until the index is up to date and in memory. */
  index: number;
  /** The query for the first time. */
  warmUp: number;
  /** Of the query: its embedding, and the comparison with all pictures. */
  embedQuery: number;
  searchQuery: number;
  rerank?: number;
}

/** Throws ConfigError for options that do not go together, DataError for a folder without pictures, FileError. */
export async function search(
  io: Io,
  [folder = "", ...words]: readonly string[],
  options: SearchOptions,
): Promise<void> {
  const text = words.join(" ").trim();
  const { image, rerank, top } = options;
  checkQuery(text, options);
  const timings: Timings = { model: 0, index: 0, warmUp: 0, embedQuery: 0, searchQuery: 0 };
  const picture = image === undefined ? undefined : await queryPicture(image, io.signal);
  const model = await timed(timings, "model", () => openUsed(io, options));
  await using _ = model;
  const encoder = await modelEncoder(model);
  if (text !== "") await sayUnknown(io, model, [text]);
  const index = await timed(timings, "index", () => openIndex(io, folder, encoder, options));
  sayIndex(io, index, timings.index);
  if (options.bad !== undefined)
    await saveFile(options.bad, index.bad.map((one) => `${JSON.stringify(one)}\n`).join(""));
  if (index.pictures === 0) throw new DataError(`${folder}: expected pictures below this folder, found none`);
  if (text === "" && picture === undefined) return io.result(indexText(index), summary(index, timings));
  const embed = (): Promise<Float32Array> => (picture ? embedOne(picture, encoder) : encoder.texts([text], io.signal));
  const nearest = await searcher(io, index, options);
  await timed(timings, "warmUp", async () => nearest(await embed(), top)); // graphs and loops are compiled when first used
  const query = await timed(timings, "embedQuery", embed);
  const found: Result[] = await timed(timings, "searchQuery", async () => nearest(query, Math.max(top, rerank ?? 0)));
  const judged =
    rerank === undefined ? found : await timed(timings, "rerank", () => judge(model, folder, text, found, rerank, io));
  const results = judged.slice(0, top);
  if (options.html !== undefined) {
    const { searchPage } = await pageMaker();
    const title = text || `pictures like ${image}`;
    const page = await searchPage({ folder, title, query: picture?.image, results, pictures: index.pictures });
    await saveFile(options.html, page);
    io.note(`page: ${options.html}`);
  }
  const lines = results.map(({ path, score, match }) => [
    ...(match === undefined && rerank === undefined ? [] : [match === undefined ? "" : percent(match)]),
    score.toFixed(3),
    join(folder, path),
  ]);
  const shown = options.timings ? `\n\n${timingsText(timings, index)}` : "";
  io.result(`${table(lines)}${shown}`, { query: text || image, results, ...summary(index, timings) });
}

/** Waits for `work` and notes how long it took. */
async function timed<T>(timings: Timings, name: keyof Timings, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  timings[name] = Math.round(1000 * (performance.now() - start)) / 1000;
  return result;
}

function checkQuery(text: string, { image, rerank, html }: SearchOptions): void {
  if (text !== "" && image !== undefined)
    throw new ConfigError(`search: expected words or --image, got both: "${text}" and ${image}`);
  if (rerank !== undefined && text === "")
    throw new ConfigError("--rerank: expected words: the multimodal encoder compares pictures with words");
  if (html !== undefined && text === "" && image === undefined)
    throw new ConfigError("--html: expected words or --image to show the results of");
}

async function queryPicture(location: string, signal: AbortSignal): Promise<{ key: string; image: Uint8Array }> {
  const image = await loadInput(location, signal);
  if (typeof image === "string") throw new DataError(`${location}: ${image}`);
  return { key: location, image };
}

async function embedOne({ key, image }: { key: string; image: Uint8Array }, encoder: Encoder): Promise<Float32Array> {
  async function* one() {
    yield { item: key, key, image };
  }
  for await (const [outcome] of embedPictures(one(), encoder, { workers: 0 })) {
    if (outcome && "row" in outcome) return outcome.row;
    throw new DataError(`${key}: ${outcome?.reason}`);
  }
  throw new Error("internal: no outcome");
}

async function openIndex(io: Io, folder: string, encoder: Encoder, options: SearchOptions): Promise<FolderIndex> {
  if (isUrl(folder)) throw new ConfigError(`${folder}: expected a folder on this machine, got an address`);
  let progress: ReturnType<Io["progress"]> | undefined;
  try {
    return await openFolderIndex(folder, encoder, {
      place: options.index,
      fallback: indexCacheDir(),
      workers: options.workers,
      signal: io.signal,
      note: io.note,
      onProgress(done, total) {
        if (total <= FEW_PICTURES) return;
        progress ??= io.progress({ label: `indexing ${folder}`, unit: "pictures", total });
        progress.update(done);
      },
    });
  } catch (error) {
    if (!io.signal.aborted) throw error;
    const { signal } = io.signal.reason as Cancelled;
    throw new Cancelled(signal, "stopped; what is indexed is kept, the next search goes on from there");
  } finally {
    progress?.end();
  }
}

/** What changed since the last time, in a line, and what cannot be used. */
function sayIndex(io: Io, { pictures, changes, bad, passed }: FolderIndex, ms: number): void {
  const { added, changed, moved, deleted, encoded } = changes;
  const parts = Object.entries({ added, changed, moved, deleted }).filter(([, n]) => n > 0);
  const rate = encoded > 0 ? ` (${formatCount(encoded)} embedded in ${formatDuration(ms / 1000)})` : "";
  const news = parts.length > 0 ? `: ${parts.map(([what, n]) => `${formatCount(n)} ${what}`).join(", ")}${rate}` : "";
  io.note(`index: ${formatCount(pictures)} pictures${news}`);
  sayPassed(io, { hidden: 0, others: passed.others });
  if (bad.length === 0) return;
  io.note(`${formatCount(bad.length)} files cannot be used:`);
  for (const { key, reason } of bad.slice(0, 5)) io.note(`  ${key}: ${reason}`);
  if (bad.length > 5) io.note("  … (--bad FILE lists all)");
}

/** The multimodal encoder's probabilities of the first `count`, which come first, by them; the rest stays behind. */
async function judge(
  model: FlavaModel,
  folder: string,
  text: string,
  found: readonly Result[],
  count: number,
  io: Io,
): Promise<Result[]> {
  const first: Result[] = [];
  for (let from = 0; from < Math.min(count, found.length); from += model.batchSize) {
    const part = found.slice(from, Math.min(from + model.batchSize, count));
    const read = await Promise.all(
      part.map(async (one) => ({ one, key: one.path, image: await loadInput(join(folder, one.path), io.signal) })),
    );
    const images = read.flatMap(({ key, image }) => (typeof image === "string" ? [] : [{ key, image }]));
    const chances = images.length > 0 ? await model.match(images, [text], { signal: io.signal }) : [];
    for (const { one, image } of read) {
      if (typeof image !== "string") first.push({ ...one, match: chances.shift()! });
      else io.note(`left out: ${one.path}: ${image}`); // it was there when the index was brought up to date
    }
  }
  return [...first.sort((a, b) => b.match! - a.match!), ...found.slice(count)];
}

/** Looks at every picture, or asks an approximate index where there are very many. */
async function searcher(io: Io, index: FolderIndex, options: SearchOptions): Promise<FolderIndex["search"]> {
  const { approximateSearch, MANY_ROWS } = await import("../collections/search/approximate.ts");
  if (options.exact || (!options.approximate && index.pictures < MANY_ROWS)) return index.search;
  return approximateSearch(index, { required: options.approximate === true, note: io.note });
}

const summary = ({ pictures, place, changes, bad, passed }: FolderIndex, timings: Timings) => ({
  index: { pictures, place, ...changes, passed, bad },
  timings,
});

const indexText = ({ pictures, place }: FolderIndex): string => `${place}: ${formatCount(pictures)} pictures`;

function timingsText(timings: Timings, { changes }: FolderIndex): string {
  const rate = changes.encoded > 0 ? `${(changes.encoded / (timings.index / 1000)).toFixed(1)} pictures/s` : "";
  return table([
    ["model opened", ms(timings.model), ""],
    ["index opened", ms(timings.index), rate],
    ["first query", ms(timings.warmUp), ""],
    ["query embedded", ms(timings.embedQuery), ""],
    ["pictures compared", ms(timings.searchQuery), ""],
    ...(timings.rerank === undefined ? [] : [["first ones judged", ms(timings.rerank), ""]]),
  ]);
}

const ms = (time: number): string => `${time.toFixed(1)} ms`.padStart(12);
