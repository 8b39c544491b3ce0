/** Held-out pairs, read once and kept as encoded bytes. */
import type { BadSample, Order, Regions, Sample, Source } from "../data/index.ts";
import { plainText } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { decodeImage } from "../image/index.ts";
import { once } from "./evaluator.ts";

/** One held-out pair. */
export interface Pair {
  readonly key: string;
  /** Equal concepts belong together: several captions or pictures of one thing. */
  readonly concept: string;
  /** Candidates of a retrieval are those of one group: the drawing style in the starter data, else "". */
  readonly group: string;
  /** The first caption. */
  readonly caption: string;
  readonly captions: readonly string[];
  /** Encoded; it was decoded once to see that it can be. Empty where there are regions alone. */
  readonly image: Uint8Array;
  /** What a detector saw in the picture. */
  readonly regions?: Regions;
  readonly meta: Sample["meta"];
}

/** How many samples of a source are read, and in which order. */
export interface ReadOptions {
  /** Samples; the rest of the source is not read. */
  readonly max: number;
  /** Where the source may choose its order: that of this draw. Absent: the order on disk. */
  readonly order?: Order | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for every sample that is left out: incomplete, or with a picture that cannot be decoded. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
  /** Whether a sample may have regions of a detector instead of a picture. */
  readonly regions?: boolean | undefined;
}

/** As `ReadOptions`, for pairs. */
export type PairOptions = Omit<ReadOptions, "max"> & {
  readonly maxPairs: number;
  /** Whether pictures without a caption count, with an empty one: for what looks at pictures alone. */
  readonly captionless?: boolean | undefined;
};

/** The first `maxPairs` good pairs of a source, in its order. Throws DataError where there is none. */
export async function readPairs(
  source: Source,
  { maxPairs, captionless = false, ...options }: PairOptions,
): Promise<Pair[]> {
  return readImages(source, { ...options, max: maxPairs }, (sample) =>
    toPair(captionless && !sample.texts?.length ? { ...sample, texts: [""] } : sample),
  );
}

/** Pairs that are read when first asked for; evaluators and pictures that share a set share its memory. */
export type PairSet = () => Promise<readonly Pair[]>;

/** The set of a source, which is opened when first asked for. */
export const pairSet = (open: () => Promise<Source>, options: PairOptions): PairSet =>
  once(async () => readPairs(await open(), options));

/** Samples with a decodable picture that `make` accepts; the others are reported to `onBad`. */
export async function readImages<T>(
  source: Source,
  { max, order, signal, onBad, regions = false }: ReadOptions,
  make: (sample: Sample & { readonly image: Uint8Array }) => T | string,
): Promise<T[]> {
  const found: T[] = [];
  for await (const { sample } of source.samples({ order, signal, onBad })) {
    const { key, image } = sample;
    const seen = image ?? (regions && sample.regions ? new Uint8Array(0) : undefined);
    const made = seen ? make({ ...sample, image: seen }) : "the image is missing";
    const reason = typeof made === "string" ? made : image && (await reasonAgainst(key, image, signal));
    if (reason === undefined) found.push(made as T);
    else onBad?.({ source: source.name, key, reason });
    if (found.length >= max) break;
  }
  if (found.length === 0)
    throw new DataError(
      `${source.name}: expected samples to evaluate on, got none`,
      "look at it with flava data inspect",
    );
  return found;
}

/** Why a picture cannot be used; undefined where it can. */
async function reasonAgainst(key: string, image: Uint8Array, signal?: AbortSignal): Promise<string | undefined> {
  try {
    await decodeImage(image, { key, ...(signal && { signal }) });
    return undefined;
  } catch (error) {
    if (error instanceof DataError) return error.message.split("\n")[0]!;
    throw error;
  }
}

/**
 * The concept is what the sample says. Where it says nothing, pictures of one caption are identified by its wording, as
 * equal captions cannot be; pictures of several captions by their key, as in Karpathy's splits of COCO and Flickr30K.
 */
function toPair({ key, image, texts = [], meta, regions }: Sample & { readonly image: Uint8Array }): Pair | string {
  const [caption] = texts;
  if (caption === undefined) return "the caption is missing";
  const said = meta?.concept;
  const concept = said !== undefined ? String(said) : texts.length === 1 ? plainText(caption) : key;
  const group = said !== undefined && typeof meta?.style === "string" ? meta.style : "";
  return { key, concept, group, caption, captions: texts, image, meta, ...(regions && { regions }) };
}
