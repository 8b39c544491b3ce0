/** What a model in training puts where patches are hidden, beside the whole caption: the same pictures and masks again and again. */
import { allocateRows, createBuilder, joinRows, maskedImages, maskedTexts, type Rows } from "../data/batch/index.ts";
import { ConfigError } from "../errors.ts";
import { argmax, graph, input } from "../graph/index.ts";
import type { Pixels } from "../image/index.ts";
import { flavaFamily } from "../models/flava/index.ts";
import type { BatchSizes } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import { fromMapped, fromUnit, hatched, picturesOf, withPatches } from "../pictures/canvas.ts";
import { filledWords } from "../pictures/filled-words.ts";
import { compile } from "../runtime/index.ts";
import { type Feeds, type Tensor, tensor } from "../tensor/index.ts";
import type { JointTab } from "./joint-tab.ts";
import type { TabSample } from "./tab-batches.ts";

/** A picture on the codebook's side, the same with its hidden patches hatched, and with what the model put there. */
export interface FilledPicture {
  readonly original: Pixels;
  readonly masked: Pixels;
  readonly filled: Pixels;
}

/** Graphs that read the weights where the training has them. One call at a time, and none during an update. */
export interface TabPictures extends Disposable {
  draw(): Promise<FilledPicture[]>;
  dispose(): void;
}

/** Compiles them. `decoder` has the codebook's `image_decoder.*`. Throws ConfigError for a model without a codebook. */
export async function openTabPictures(
  tab: JointTab,
  samples: readonly TabSample[],
  decoder: Readonly<Record<string, Tensor>>,
): Promise<TabPictures> {
  const { state, config } = tab;
  const { masked, codebook, pictures } = flavaFamily.of(config);
  const { sizes, feeds } = maskedBatch(tab, samples);
  const { words, image } = masked?.pair(new Params(), sizes) ?? {};
  if (!codebook || !words || !image)
    throw new ConfigError("pictures of a tab: expected a model that names hidden patches, and a codebook");
  const side = pictures!.grid;
  const shape = [samples.length, side, side];
  const decoded = codebook.decode(new Params(), input("words", shape, "int32"));
  const guess = await compile(graph("tab.guesses", { words, guesses: argmax(image.logits, 1) }), state.device, {
    state,
  });
  const decode = await compile(graph("tab.decoder", { decoded }), state.device, { weights: decoder });
  const originals = picturesOf(feeds.codebook_pixel_values!, fromMapped);
  const hidden = feeds.bool_masked_pos!.data as Uint8Array;
  const maskOf = (i: number): Uint8Array => hidden.subarray(i * side ** 2, (i + 1) * side ** 2);
  const needed = Object.fromEntries(guess.feeds.map((name) => [name, feeds[name]!]));
  const dispose = (): void => {
    guess.dispose();
    decode.dispose();
  };
  return {
    async draw() {
      const found = await guess.run(needed);
      const guessed = filledWords(found.words!, found.guesses!, feeds);
      const results = await decode.run({ words: tensor("int32", shape, guessed) });
      const made = picturesOf(results.decoded!, fromUnit);
      return originals.map((original, i) => ({
        original,
        masked: withPatches(original, maskOf(i), hatched(original)),
        filled: withPatches(original, maskOf(i), made[i]!),
      }));
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** Whole pictures with block masks and their whole captions. */
function maskedBatch({ config, stage, seed, tokenizer }: JointTab, samples: readonly TabSample[]) {
  const image = maskedImages(flavaFamily.of(config).pictures!, stage.imageMasking, null);
  const text = maskedTexts(stage.textLength.pairs, stage.pairMasking);
  const { fields, encode } = createBuilder({ kind: "pair", image, text }, tokenizer);
  const rows: Rows = allocateRows(fields, samples.length);
  for (const [row, sample] of samples.entries()) {
    const draw = { seed, stream: "tab/pictures", epoch: 0, ordinal: row };
    encode({ ...sample, draw }, sample.pixels, rows, row);
  }
  const sizes: BatchSizes = {
    batch: samples.length,
    textLength: text.length,
    maskedPatches: stage.imageMasking.patches,
    maskedTokens: text.mask.maxTargets,
    itmLabels: false,
  };
  const feeds: Feeds = joinRows(fields, [{ rows, from: 0, to: samples.length }]);
  return { sizes, feeds: { ...feeds, input_ids_masked: feeds.input_ids! } as Feeds };
}
