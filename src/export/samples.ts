/** What exported graphs are tried on: pictures and texts of a source, or made ones. */

import type { RawPixels } from "../api/index.ts";
import { createProcessor, type FlavaProcessor, readImage } from "../api/index.ts";
import { openSource } from "../data/index.ts";
import { ConfigError, DataError } from "../errors.ts";
import type { FlavaImageOptions } from "../image/index.ts";
import type { Model, RegionSizes } from "../models/index.ts";
import { fromNumbers, random, type Tensor, toNumbers } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";

/** Feeds of all graphs, a row a sample. */
export interface Trial {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** For the report: "8 pictures and 8 texts of photos.jsonl". */
  readonly described: string;
}

/** What samples are prepared with. */
export interface TrialParts {
  readonly model: Model;
  readonly tokenizer: TextTokenizer | undefined;
  readonly image: FlavaImageOptions | undefined;
}

/** Which samples, and how many. */
export interface TrialOptions {
  /** A data source, as `flava data inspect` takes it. */
  readonly source?: string | undefined;
  /** Samples. Default 8. */
  readonly count?: number | undefined;
  /** Told of samples that are left out. */
  readonly onWarning?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Throws ConfigError for a source without pictures and texts, DataError where the source itself is bad. */
export async function trial({ model, tokenizer, image }: TrialParts, options: TrialOptions): Promise<Trial> {
  const { source, count = 8, signal } = options;
  if (!Number.isInteger(count) || count < 1)
    throw new ConfigError(`samples: expected a whole number from 1, got ${count}`);
  const found = source === undefined ? { pictures: [], texts: [] } : await read(source, count, options);
  if (source !== undefined && found.pictures.length + found.texts.length === 0)
    throw new ConfigError(`${source}: expected pictures or texts, got none that can be read`);
  const { pictures: sizes, texts: words, regions } = model;
  const processor = createProcessor({
    tokenizer,
    maxLength: words?.maxPositions ?? 0,
    image,
  });
  const pictures = sizes && cycle(found.pictures.length > 0 ? found.pictures : madePictures(count), count);
  const texts = cycle(found.texts.length > 0 ? found.texts : SENTENCES, count);
  const of = (list: readonly unknown[], what: string): string =>
    list.length > 0 ? `${list.length} ${what} of ${source}` : `${count} made ${what}`;
  const ids = words && (tokenizer ? textFeeds(processor, texts) : madeIds(words.vocabSize, words.maxPositions, count));
  return {
    feeds: {
      ...(regions && madeRegions(regions, count)),
      ...(regions?.tags &&
        ids && {
          token_type_ids: fromNumbers(
            toNumbers(ids.input_ids).map(() => 0),
            ids.input_ids.shape,
            "int32",
          ),
        }),
      ...(pictures && { pixel_values: (await processor.images(pictures, signal ? { signal } : {})).pixel_values }),
      ...ids,
    },
    described: regions
      ? `${count} made pictures' regions and ${of(found.texts, "texts")}`
      : `${of(found.pictures, "pictures")} and ${of(found.texts, "texts")}`,
  };
}

/** The first pictures and texts of a source; pictures that cannot be decoded are said and left out. */
async function read(source: string, count: number, { onWarning, signal }: TrialOptions) {
  const opened = await openSource(source, { signal });
  const pictures: RawPixels[] = [];
  const texts: string[] = [];
  const onBad = ({ key, reason }: { key: string; reason: string }): void => onWarning?.(`${source}: ${key}: ${reason}`);
  for await (const { sample } of opened.samples({ signal, onBad })) {
    const text = sample.texts?.[0];
    if (text !== undefined && texts.length < count) texts.push(text);
    if (sample.image && pictures.length < count)
      try {
        pictures.push(await readImage({ key: sample.key, image: sample.image }, signal ? { signal } : {}));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        onWarning?.(`${source}: left out: ${error.message}`);
      }
    if (pictures.length === count || (!sample.image && texts.length === count)) break;
  }
  return { pictures, texts };
}

const cycle = <T>(list: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, i) => list[i % list.length]!);

function textFeeds(
  processor: FlavaProcessor,
  texts: readonly string[],
): Record<"input_ids" | "attention_mask", Tensor> {
  const { input_ids, attention_mask } = processor.texts(texts);
  return { input_ids, attention_mask };
}

const SENTENCES = [
  "a photo of a cat",
  "two dogs play on a beach in the evening",
  "red",
  "an old map of the world, drawn by hand",
  "a plate of rice with vegetables and a glass of water",
  "the house at the end of the road",
  "a child flies a kite",
  "snow on the mountains",
];

/** Waves of three directions and colours. */
function madePictures(count: number): RawPixels[] {
  const side = 96;
  return Array.from({ length: count }, (_, n) => {
    const rng = random(1, "export:picture", n);
    const waves = Array.from({ length: 9 }, () => [rng.normal() / 9, rng.normal() / 9, rng.uniform() * 6] as const);
    const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
      const [x, y, c] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side), i % 3];
      return (
        128 + 42 * waves.slice(3 * c, 3 * c + 3).reduce((sum, [a, b, at]) => sum + Math.sin(a * x + b * y + at), 0)
      );
    });
    return { width: side, height: side, data };
  });
}

/** Random ids of random lengths, for a model without a tokenizer. */
function madeIds(vocabSize: number, most: number, rows: number): Record<"input_ids" | "attention_mask", Tensor> {
  const T = Math.min(most, 16);
  const rng = random(1, "export:ids");
  const lengths = Array.from({ length: rows }, (_, i) => (i === 0 ? T : 2 + Math.floor(rng.uniform() * (T - 1))));
  const cells = lengths.flatMap((length) =>
    Array.from({ length: T }, (_, t) => (t < length ? Math.floor(rng.uniform() * vocabSize) : -1)),
  );
  return {
    input_ids: fromNumbers(
      cells.map((id) => Math.max(0, id)),
      [rows, T],
      "int32",
    ),
    attention_mask: fromNumbers(
      cells.map((id) => Number(id >= 0)),
      [rows, T],
      "int32",
    ),
  };
}

/** Regions with random features and boxes, fewer in each picture than in the one before. */
function madeRegions({ features, box, waves }: RegionSizes, rows: number): Record<string, Tensor> {
  const R = 5;
  const rng = random(1, "export:regions");
  const numbers = (width: number): Tensor =>
    fromNumbers(
      Array.from({ length: rows * R * width }, () => rng.uniform()),
      [rows, R, width],
    );
  const counts = Array.from({ length: rows }, (_, i) => R - (i % 3));
  return {
    region_features: numbers(features),
    region_boxes: numbers(box),
    region_mask: fromNumbers(
      counts.flatMap((n) => Array.from({ length: R }, (_, r) => Number(r < n))),
      [rows, R],
      "int32",
    ),
    ...(waves !== undefined && { region_waves: numbers(8 * waves) }),
  };
}
