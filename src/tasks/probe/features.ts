/** Features of labelled pictures: CLS of the image encoder after its final LayerNorm, kept on disk so that they are computed once. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FlavaModel } from "../../api/index.ts";
import { openVectorLog, type VectorLog } from "../../collections/index.ts";
import type { Cursor, Fingerprint, Sample, Source } from "../../data/index.ts";
import { DataError, FlavaError } from "../../errors.ts";
import { type JsonObject, lockFolder, makeFolder } from "../../io/index.ts";

/** Features, and what they are of. */
export interface Features {
  readonly width: number;
  /** (N, D), row-major. */
  readonly x: Float32Array;
  /** Name of each row's class. */
  readonly labels: readonly string[];
  /** Samples without a label, or with a picture that cannot be decoded: they have no row. */
  readonly refused: readonly { readonly key: string; readonly reason: string }[];
}

/** Where features are kept, and who hears of progress. */
export interface FeatureOptions {
  /** Folder for features of all models and data; none: they are computed anew each time. */
  readonly cacheDir?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of samples read so far. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** A sample: with a label it has a row. */
interface Entry {
  readonly key: string;
  readonly label?: string;
  readonly reason?: string;
}

/** Where to go on behind a batch. */
type Where = { readonly cursor: Cursor } | { readonly end: true };

/** What is written with each batch: its samples, then where to go on. */
type Line = { readonly entry: Entry } | Where;

/**
 * Reads all samples of a source through the image encoder. A process that is stopped goes on behind the last batch. Throws DataError
 * where no sample has a row.
 */
export async function labelledFeatures(
  model: FlavaModel,
  source: Source,
  options: FeatureOptions = {},
): Promise<Features> {
  const { cacheDir, signal } = options;
  const about = await identityOf(model, source);
  if (!cacheDir || !about)
    return gather(source, [
      await readAll(model, source, { cursor: undefined, done: 0 }, options, async () => undefined),
    ]);
  const folder = join(
    cacheDir,
    "features",
    createHash("sha256").update(JSON.stringify(about)).digest("hex").slice(0, 24),
  );
  await makeFolder(folder);
  await using _lock = await lockFolder(folder, { wait: true, signal });
  await using log = await openVectorLog<Line>(folder, { width: widthOf(model), about });
  const lines = log.batches.flatMap(({ records }) => records);
  const known = { entries: entriesOf(lines), x: await log.read() };
  const last = lines.at(-1);
  if (last && "end" in last) return gather(source, [known]);
  const start = { cursor: last && "cursor" in last ? last.cursor : undefined, done: known.entries.length };
  return gather(source, [known, await readAll(model, source, start, options, append(log))]);
}

const entriesOf = (lines: readonly Line[]): Entry[] => lines.flatMap((line) => ("entry" in line ? [line.entry] : []));

const append =
  (log: VectorLog<Line>): Save =>
  (entries, rows, where) =>
    log.append([...entries.map((entry) => ({ entry })), where], rows);

/** What features depend on; undefined where weights or data cannot be told from others. */
async function identityOf({ weightsHash, model }: FlavaModel, source: Source): Promise<JsonObject | undefined> {
  const fingerprint: Fingerprint | undefined = await source.fingerprint?.();
  if (!weightsHash || !fingerprint) return undefined;
  return { weights: weightsHash, data: fingerprint.hash, input: "cls", size: model.pictures?.size };
}

/** D of `image_embeddings`. */
function widthOf({ model }: FlavaModel): number {
  return model.image!({ batch: 1 }).graph.outputs.image_embeddings!.shape[2]!;
}

interface Part {
  readonly entries: readonly Entry[];
  readonly x: Float32Array;
}

type Save = (entries: readonly Entry[], rows: Float32Array, where: Where) => Promise<void>;

async function readAll(
  model: FlavaModel,
  source: Source,
  start: { readonly cursor: Cursor | undefined; readonly done: number },
  { signal, onProgress }: FeatureOptions,
  save: Save,
): Promise<Part> {
  const [entries, rows] = [[] as Entry[], [] as Float32Array[]];
  let waiting: Sample[] = [];
  const bad: Entry[] = [];
  const flush = async (where: Where): Promise<void> => {
    const part = await encode(model, waiting, signal);
    const all = [...part.entries, ...bad.splice(0)];
    await save(all, part.x, where);
    entries.push(...all);
    rows.push(part.x);
    waiting = [];
    onProgress?.(start.done + entries.length);
  };
  for await (const { sample, cursor } of source.samples({ cursor: start.cursor, signal, onBad: onBad(bad) })) {
    waiting.push(sample);
    if (waiting.length === model.batchSize) await flush({ cursor });
  }
  await flush({ end: true });
  return { entries, x: joined(rows) };
}

const onBad =
  (bad: Entry[]) =>
  ({ key, reason, kept }: { readonly key: string; readonly reason: string; readonly kept?: true }): void => {
    if (!kept) bad.push({ key, reason });
  };

/** The samples that have a label and a picture get a row; the others say why not. */
async function encode(model: FlavaModel, samples: readonly Sample[], signal: AbortSignal | undefined): Promise<Part> {
  const entries: Entry[] = [];
  const rows: Float32Array[] = [];
  const good = samples.filter((sample) => {
    const reason = !sample.image
      ? "the image is missing"
      : sample.label === undefined
        ? "the label is missing"
        : undefined;
    if (reason) entries.push({ key: sample.key, reason });
    return !reason;
  });
  for (const { sample, row, reason } of await rowsOf(model, good, signal)) {
    entries.push(row ? { key: sample.key, label: String(sample.label) } : { key: sample.key, reason: reason! });
    if (row) rows.push(row);
  }
  return { entries, x: joined(rows) };
}

interface Encoded {
  readonly sample: Sample;
  readonly row?: Float32Array;
  readonly reason?: string;
}

/** All at once, or one by one where a picture among them cannot be decoded. */
async function rowsOf(
  model: FlavaModel,
  samples: readonly Sample[],
  signal: AbortSignal | undefined,
): Promise<Encoded[]> {
  if (samples.length === 0) return [];
  const pictures = samples.map(({ key, image }) => ({ key, image: image! }));
  try {
    const { image_embeddings } = await model.encodeImage(pictures, { outputs: ["image_embeddings"], signal });
    const width = image_embeddings.shape[2]!;
    return samples.map((sample, i) => ({ sample, row: image_embeddings.row(i).slice(0, width) }));
  } catch (error) {
    if (!(error instanceof FlavaError)) throw error;
    if (samples.length === 1) return [{ sample: samples[0]!, reason: error.message.split("\n")[0]! }];
    const each: Encoded[] = [];
    for (const sample of samples) each.push(...(await rowsOf(model, [sample], signal)));
    return each;
  }
}

function gather(source: Source, parts: readonly Part[]): Features {
  const entries = parts.flatMap((part) => part.entries);
  const labels = entries.flatMap(({ label }) => (label === undefined ? [] : [label]));
  const refused = entries.flatMap(({ key, reason }) => (reason === undefined ? [] : [{ key, reason }]));
  if (labels.length === 0)
    throw new DataError(
      `${source.name}: expected pictures with labels, got ${entries.length} samples without`,
      refused[0] && `the first, ${refused[0].key}: ${refused[0].reason}`,
    );
  const x = joined(parts.map((part) => part.x));
  return { width: x.length / labels.length, x, labels, refused };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
