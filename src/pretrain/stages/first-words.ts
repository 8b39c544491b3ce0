/**
 * Visual words to begin with: clusters of patches by their colours, instead of random ones that take most of a short training to tell
 * patches apart. The encoder's last layer is linear, so it can hold them: the logit of a word is a negative squared distance to its
 * centre, less what all words share. Everything is trained on from there.
 */
import { createRunner } from "../../api/index.ts";
import { builtFeeds } from "../../evaluators/index.ts";
import { input } from "../../graph/index.ts";
import { type DvaeConfig, dvaeFeatures, embeddingSize, featureSize, wordSize } from "../../models/dvae/index.ts";
import { modelGraph } from "../../models/index.ts";
import { Params } from "../../nn/index.ts";
import { type Random, random, type Tensor, tensor } from "../../tensor/index.ts";
import { kMeans, leastSquares, predict, type Rows } from "./clusters.ts";
import type { Beginning } from "./stage.ts";

interface Sizes {
  readonly config: DvaeConfig;
  /** Side of the pictures. */
  readonly side: number;
  readonly batch: number;
  readonly seed: number;
}

/** Pictures and patches that are looked at: the more words, the more patches. */
const PICTURES = 512;
const PATCHES = 12_288;

/** How much differences of colour count beside those of lightness. */
const CHROMA = 2;

/** Logits, in units of the mean squared distance to the nearest centre: at 8 about half of the draws take the nearest. */
const SHARPNESS = 4;

/**
 * The encoder's first and last layer and the decoder's first, for words that are clusters of training patches. The first filters become
 * smooth, each a random mix of the channels: random ones react to edges, and colours are lost between them.
 */
export async function firstWords(
  beginning: Omit<Beginning, "tokenizer" | "note">,
  sizes: Sizes,
): Promise<Record<string, Tensor>> {
  const { config, seed } = sizes;
  const filters = smoothed(await beginning.state.read(FILTERS));
  beginning.state.write(FILTERS, filters);
  const { features, colours } = await patches(beginning, sizes);
  const readOut = leastSquares(features, colours);
  const { centres, distance } = kMeans(predict(features, readOut), config.vocabSize, random(seed, "first words"));
  return {
    [FILTERS]: filters,
    ...wordLogits(config, readOut, centres, SHARPNESS / Math.max(distance, 1e-6)),
    "image_decoder.blocks.input.weight": embeddings(config, centres, random(seed, "first words", 1)),
  };
}

const FILTERS = "image_codebook.blocks.input.weight";
/** Standard deviation of the smooth filters, in pixels. */
const BLUR = 2;

/** Filters (O, C, K, K) as multiples of one Gaussian, of the same mean square as before. */
function smoothed({ shape, data }: Tensor): Tensor {
  const side = shape[3]!;
  const bell = Array.from({ length: side ** 2 }, (_, i) => {
    const [y, x] = [Math.floor(i / side), i % side].map((at) => at - (side - 1) / 2) as [number, number];
    return Math.exp(-(x ** 2 + y ** 2) / (2 * BLUR ** 2));
  });
  const norm = Math.hypot(...bell);
  const out = new Float32Array(data.length);
  for (let from = 0; from < data.length; from += bell.length) {
    const along = bell.reduce((sum, value, i) => sum + value * Number(data[from + i]), 0) / norm;
    for (const [i, value] of bell.entries()) out[from + i] = (side * along * value) / norm;
  }
  return tensor("float32", shape, out);
}

/** Of places of training pictures: what the encoder's last layer reads, and the colours there. */
async function patches(
  { device, state, signal, samples }: Omit<Beginning, "tokenizer" | "note">,
  { config, side, batch }: Sizes,
): Promise<{ features: Rows; colours: Rows }> {
  const root = new Params();
  const pixels = input("codebook_pixel_values", [batch, config.channels, side, side]);
  const graph = modelGraph("first-words", root, { features: dvaeFeatures(root.at("image_codebook"), config, pixels) });
  const runner = createRunner(device, graph, batch, { state });
  const [features, colours]: [number[][], number[][]] = [[], []];
  try {
    const pictures = (await samples("images", PICTURES)).map(({ key, image }) => ({ key, image }));
    const stride = Math.ceil((pictures.length * (side / wordSize(config)) ** 2) / PATCHES);
    for (let first = 0; first < pictures.length; first += batch) {
      const feeds = await builtFeeds(
        { kind: "dvae", size: side, augment: null },
        { signal },
        pictures.slice(first, first + batch),
      );
      const found = await runner.run(feeds, signal);
      features.push(...everyPlace(found.features!, stride, first));
      colours.push(...everyPlace(coloursOf(feeds.codebook_pixel_values!, wordSize(config)), stride, first));
    }
  } finally {
    runner.dispose();
  }
  return { features: asRows(features), colours: asRows(colours) };
}

const asRows = (rows: readonly number[][]): Rows => ({
  width: rows[0]?.length ?? 1,
  data: Float32Array.from(rows.flat()),
});

/** The channels at every `stride`-th place of (B, F, h, w). */
function everyPlace({ shape, data }: Tensor, stride: number, from: number): number[][] {
  const [B, F, h, w] = shape as [number, number, number, number];
  const rows: number[][] = [];
  for (let place = from % stride; place < B * h * w; place += stride) {
    const at = Math.floor(place / (h * w)) * F * h * w + (place % (h * w));
    rows.push(Array.from({ length: F }, (_, f) => Number(data[at + f * h * w])));
  }
  return rows;
}

/** Lightness, red against green and yellow against blue of the quarters of each word's square: (B, 3, S, S) → (B, 12, h, w). */
function coloursOf({ shape, data }: Tensor, size: number): Tensor {
  const [B, , S] = shape as [number, number, number];
  const [cells, half] = [S / size, Math.max(1, size / 2)];
  const places = cells ** 2;
  const out = new Float32Array(B * 12 * places);
  const area = S * S;
  for (let b = 0; b < B; b++)
    for (let y = 0; y < S; y++)
      for (let x = 0; x < S; x++) {
        const at = 3 * b * area + y * S + x;
        const [r, g, blue] = [Number(data[at]), Number(data[at + area]), Number(data[at + 2 * area])];
        const quarter = 2 * Math.floor((y % size) / half) + Math.floor((x % size) / half);
        const place = Math.floor(y / size) * cells + Math.floor(x / size);
        const values = [(r + g + blue) / 3, (CHROMA * (r - g)) / 2, (CHROMA * ((r + g) / 2 - blue)) / 2];
        for (const [c, value] of values.entries()) {
          const into = (b * 12 + 4 * c + quarter) * places + place;
          out[into] = out[into]! + value / half ** 2;
        }
      }
  return tensor("float32", [B, 12, cells, cells], out);
}

/** s·(z·c − |c|²/2) for z = the read-out of the features: the part of −s·|z − c|²/2 that differs from word to word. */
function wordLogits(
  config: DvaeConfig,
  readOut: readonly Float64Array[],
  { width: E, data }: Rows,
  s: number,
): Record<string, Tensor> {
  const [V, F] = [config.vocabSize, featureSize(config)];
  const [weight, bias] = [new Float32Array(V * F), new Float32Array(V)];
  for (let v = 0; v < V; v++) {
    const centre = data.subarray(v * E, (v + 1) * E);
    const along = (row: Float64Array): number => centre.reduce((sum, c, e) => sum + c * row[e]!, 0);
    for (let f = 0; f < F; f++) weight[v * F + f] = s * along(readOut[f]!);
    bias[v] = s * (along(readOut[F]!) - centre.reduce((sum, c) => sum + c * c, 0) / 2);
  }
  const path = "image_codebook.blocks.output.conv";
  return {
    [`${path}.weight`]: tensor("float32", [V, F, 1, 1], weight),
    [`${path}.bias`]: tensor("float32", [V], bias),
  };
}

/** What the decoder reads of each word: its centre in random directions, so that words that look alike are read alike. */
function embeddings(config: DvaeConfig, { width: E, data }: Rows, rng: Random): Tensor {
  const [V, D] = [config.vocabSize, embeddingSize(config)];
  const centre = Array.from({ length: E }, (_, e) => meanOf(V, (v) => data[v * E + e]!));
  const spread = Math.sqrt(meanOf(V, (v) => centre.reduce((sum, c, e) => sum + (data[v * E + e]! - c) ** 2, 0))) || 1;
  const weight = new Float32Array(D * V);
  for (let d = 0; d < D; d++) {
    const direction = centre.map(() => rng.normal());
    for (let v = 0; v < V; v++)
      weight[d * V + v] = direction.reduce((sum, way, e) => sum + (way * (data[v * E + e]! - centre[e]!)) / spread, 0);
  }
  return tensor("float32", [D, V, 1, 1], weight);
}

const meanOf = (n: number, value: (i: number) => number): number =>
  Array.from({ length: n }, (_, i) => value(i)).reduce((sum, x) => sum + x, 0) / n;
