/** One data set of a loader: its sources as one stream of batch items, filtered, packed and given negatives. */

import type { Json } from "../../io/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import type { BreakMode, TextTokenizer } from "../../text/index.ts";
import { readsImages, readsTexts } from "../batch/builder.ts";
import type { BatchBuild, BatchItem } from "../batch/index.ts";
import type { BadSample, CaptionMode, Cursor, Order, Sample, Source } from "../sources/index.ts";
import { drawCaption, drawMismatch, drawNegative, tagsOf } from "./captions.ts";
import { memorySource, sampleBytes } from "./memory.ts";
import { type Mixed, mixStreams } from "./mix.ts";
import { packSource } from "./pack-source.ts";
import type { Slot } from "./pipeline.ts";
import { createStream, type Stream } from "./stream.ts";

export interface DatasetSource {
  readonly source: Source;
  /** Share of the samples among the sources of the data set; only the ratios count. Default 1. */
  readonly weight?: number | undefined;
  /** Which caption of a sample is read. Default: what the source says, else one at random. */
  readonly captions?: CaptionMode | undefined;
}

export interface DatasetOptions {
  readonly name: string;
  readonly sources: readonly DatasetSource[];
  readonly build: BatchBuild;
  readonly batchSize: number;
  /** Share of the steps that read this data set; only the ratios count. Default 1. */
  readonly ratio?: number | undefined;
  /** Samples of a shuffle block; 0: in the order of the source. Default 1000. */
  readonly shuffle?: number | undefined;
  /** A block ends early at this many bytes of encoded samples. Two blocks are held at a time. Default 64 MiB. */
  readonly shuffleBytes?: number | undefined;
  /** Share of pairs whose caption is replaced by that of another sample. Default 0.1 for pairs. */
  readonly negatives?: number | undefined;
  /** Texts: pack sentences into full rows. null: a row holds one text, cut to the length. */
  readonly pack?: { readonly breakMode?: BreakMode | undefined } | null | undefined;
  /** Sources whose encoded samples fit into this many bytes are read once and reshuffled as wholes. Default 0. */
  readonly memoryBytes?: number | undefined;
  /** Larger pictures are bad samples. Default: the decoder's limit. */
  readonly maxPixels?: number | undefined;
}

export interface DatasetContext {
  readonly seed: number;
  readonly tokenizer?: TextTokenizer | undefined;
  readonly epochs?: number | undefined;
  /** What sources are called in reports. Default: their names. */
  readonly names?: ReadonlyMap<Source, string> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** What a stream carries: a sample, or a packed row of one. */
interface Entry {
  readonly sample: Sample;
  readonly ids?: Int32Array;
}

export interface ItemStream {
  next(): Promise<Slot | undefined>;
  close(): Promise<void>;
}

/** The `meta` field that says which document a text belongs to. */
const DOCUMENT = "document";

const DEFAULT_SHUFFLE = 1000;
const DEFAULT_SHUFFLE_BYTES = 64 * 2 ** 20;
/** Samples to choose other captions from, and what stands in for bad samples where nothing is shuffled: at least. */
const POOL = 256;
/** Where a whole block is bad: how many of the following ones are tried. */
const BLOCKS_AHEAD = 8;

/**
 * Opens a data set at its start or at a state that came with one of its places. The places are those of all workers: who reads which of
 * them is not known here, so that no draw depends on it.
 */
export async function openDataset(
  options: DatasetOptions,
  context: DatasetContext,
  state: Json | undefined,
): Promise<ItemStream> {
  const { name, sources, build, negatives = 0.1 } = options;
  const { seed } = context;
  const total = sources.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const parts = await Promise.all(
    sources.map(async ({ source, weight = 1, captions = source.captions ?? "any" }, i) => {
      const stream = `${name}/${i}`;
      const read = await reader(source, options, context);
      const open = (saved: Json | undefined): Stream<Entry> =>
        createStream({
          name: stream,
          seed,
          open: read,
          ...blocks(options, weight / total),
          epochs: context.epochs,
          state: saved,
        });
      const bad = new WeakSet<Sample>();
      const called = context.names?.get(source) ?? source.name;
      return { weight, open, source, called, places: { seed, stream, build, negatives, captions, bad } };
    }),
  );
  const mixed = mixStreams(`${name}@0`, seed, parts, state); // the first worker's name, from when each had its own
  const next = async (): Promise<Slot | undefined> => {
    const drawn = await mixed.next();
    if (drawn === undefined) return undefined;
    const { source, called, places } = parts[drawn.part]!;
    return { source, called, state: drawn.state, candidates: () => candidates(drawn, places) };
  };
  return { next, close: mixed.close };
}

/** The block of a source with this share of the data set's weight. */
function blocks(
  { build, shuffle = DEFAULT_SHUFFLE, shuffleBytes = DEFAULT_SHUFFLE_BYTES }: DatasetOptions,
  share: number,
): { block: number; blockBytes: number; shuffle: boolean } {
  const least = build.kind === "pair" || shuffle <= 1 ? POOL : 1;
  const block = Math.max(least, Math.ceil(shuffle * share));
  return { block, blockBytes: Math.ceil(shuffleBytes * share), shuffle: shuffle > 1 };
}

type Reader = (
  order: Order | undefined,
  cursor: Cursor | undefined,
) => AsyncIterable<{ value: Entry; cursor: Cursor; bytes: number }>;

/** Reads one pass of a source: the samples that the kind of batch can use, or packed rows of them. */
async function reader(source: Source, options: DatasetOptions, context: DatasetContext): Promise<Reader> {
  const { build, memoryBytes = 0, pack = build.kind === "text" ? {} : null } = options;
  const { signal, names } = context;
  const called = names?.get(source) ?? source.name;
  const onBad = context.onBad && ((bad: BadSample): void => context.onBad!({ ...bad, source: called }));
  const sampling = { signal, onBad };
  const held = memoryBytes > 0 ? await memorySource(source, { maxBytes: memoryBytes, ...sampling }) : undefined;
  const usable = requireFields(held ?? source, build);
  if (build.kind !== "text" || pack === null)
    return async function* (order, cursor) {
      for await (const placed of usable.samples({ ...sampling, order, cursor }))
        yield { value: { sample: placed.sample }, cursor: placed.cursor, bytes: sampleBytes(placed.sample) };
    };
  const { length } = build.text;
  const documents = requireFields(held?.byDocument(DOCUMENT) ?? source, build);
  const tokenizer = context.tokenizer!;
  return async function* (order, cursor) {
    const { breakMode } = pack;
    const rows = packSource(documents, tokenizer, {
      ...sampling,
      order,
      cursor,
      length,
      breakMode,
      documentField: DOCUMENT,
    });
    for await (const { inputIds, cursor: end } of rows) {
      const key = `${source.name} at ${JSON.stringify(end)}`;
      yield { value: { sample: { key }, ids: inputIds }, cursor: end, bytes: 4 * length };
    }
  };
}

/** Leaves out samples without what the batch is made of. */
function requireFields(source: Source, build: BatchBuild): Source {
  const [image, text] = [readsImages(build), readsTexts(build)];
  return {
    name: source.name,
    async *samples(options = {}) {
      for await (const placed of source.samples(options)) {
        const { sample } = placed;
        const missing =
          image && !sample.image
            ? "the image is missing"
            : text && !sample.texts
              ? "the caption is missing"
              : undefined;
        const note = (reason: string, kept?: true): void =>
          options.onBad?.({ source: source.name, key: sample.key, reason, ...(kept && { kept }) });
        if (missing !== undefined) {
          note(missing);
          continue;
        }
        if (build.kind === "regions" && (sample.regions?.count ?? 0) > build.regions.most)
          note(`regions left out: a batch has ${build.regions.most} of a picture`, true);
        yield placed;
      }
    },
  };
}

/** What all places of a source share. */
interface Places {
  readonly seed: number;
  readonly stream: string;
  readonly build: BatchBuild;
  readonly negatives: number;
  readonly captions: CaptionMode;
  /** Samples that proved bad. */
  readonly bad: WeakSet<Sample>;
}

/**
 * The sample of a place, then others of its block in an order drawn for the place, then those of the blocks that follow. A sample
 * counts as bad when the one after it is asked for.
 */
async function* candidates(drawn: Mixed<Entry>, places: Places): AsyncGenerator<BatchItem, undefined, undefined> {
  const { seed, stream, bad } = places;
  const { epoch, ordinal } = drawn;
  const give = function* (entry: Entry): Generator<BatchItem> {
    if (bad.has(entry.sample)) return;
    yield toItem(entry, drawn, places);
    bad.add(entry.sample);
  };
  yield* give(drawn.value);
  const rng = random(seed, `instead:${stream}`, epoch, ordinal);
  let block: Mixed<Entry>["block"] | undefined = drawn.block;
  for (let n = 0; block && n <= BLOCKS_AHEAD && block.epoch <= epoch + 1; n++, block = await block.next())
    for (const i of permutation(block.items.length, rng)) yield* give(block.items[i]!);
}

function toItem(
  { sample, ids }: Entry,
  { block, epoch, ordinal }: Mixed<Entry>,
  { seed, stream, build, negatives, captions }: Places,
): BatchItem {
  const draw = { seed, stream, epoch, ordinal };
  return {
    key: sample.key,
    draw,
    ids,
    ...(readsImages(build) && { image: sample.image }),
    ...(readsTexts(build) && { text: drawCaption(sample, captions, draw) }),
    ...(build.kind === "task" && { second: sample.texts?.[1] }),
    ...(build.kind === "pair" && { negative: drawNegative(sample, block.items, negatives, captions, draw) }),
    ...(build.kind === "regions" && {
      regions: sample.regions,
      ...(build.tags && { tags: tagsOf(sample) }),
      ...drawMismatch(sample, block.items, { ratio: negatives, mode: captions, tags: build.tags }, draw),
    }),
    ...(build.kind === "objects" && { objects: sample.objects }),
    ...(sample.label !== undefined && { label: sample.label }),
  };
}
