/** A model with random weights on a device, and held-out synthetic pairs: what the picture sections of a report draw from. */

import { openSource } from "../../src/data/index.ts";
import { type EvaluationContext, type Pair, readPairs } from "../../src/evaluators/index.ts";
import { graph, input } from "../../src/graph/index.ts";
import { dvaeDecoderOfIds } from "../../src/models/dvae/index.ts";
import { type FlavaConfig, flavaFamily, flavaParameters } from "../../src/models/flava/index.ts";
import { gridSize } from "../../src/models/vit/index.ts";
import { initialize, Params } from "../../src/nn/index.ts";
import type { Recipe } from "../../src/pretrain/recipe/index.ts";
import { openDevice, State } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../src/text/index.ts";

export interface PictureCase extends Disposable {
  /** With the vocabulary of the captions. */
  readonly config: FlavaConfig;
  readonly context: EvaluationContext;
  readonly pairs: readonly Pair[];
  /** `image_decoder.*`. */
  readonly decoder: Readonly<Record<string, Tensor>>;
}

/** `count` pairs at the model's own size. The vocabulary is that of their captions, "background" in two pieces. */
export async function pictureCase(recipe: Recipe, count: number): Promise<PictureCase> {
  const source = await openSource({ type: "synthetic", count, size: recipe.model.image.imageSize, seed: 5 });
  const pairs = await readPairs(source, { maxPairs: count });
  const words = new Set(pairs.flatMap(({ caption }) => caption.split(" ")));
  words.delete("background");
  const tokenizer = bertTokenizer([...SPECIAL_TOKENS, ...words, "back", "##ground"]);
  const model = { ...recipe.model, text: { ...recipe.model.text, vocabSize: tokenizer.vocabSize } };
  const device = await openDevice("cpu", { threads: 1 });
  const state = new State(device);
  state.writeAll(initialize(flavaParameters(model), recipe.seed));
  return {
    config: model,
    context: {
      model: flavaFamily.of(model),
      device,
      state,
      tokenizer,
      batchSize: recipe.evaluation.batchSize,
      seed: recipe.seed,
    },
    pairs,
    decoder: randomDecoder(model, recipe.seed),
    [Symbol.dispose]: () => state.dispose(),
  };
}

function randomDecoder(model: FlavaConfig, seed: number): Record<string, Tensor> {
  const p = new Params();
  const side = gridSize(model.image);
  const ids = input("ids", [1, side, side], "int32");
  graph("decoder", { ...dvaeDecoderOfIds(p.at("image_decoder"), model.codebook!, ids) });
  return initialize(p.specs(), seed);
}
