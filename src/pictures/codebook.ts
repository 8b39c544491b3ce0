/** The codebook at work: pictures to visual words and back (DALL-E's dVAE, arXiv:2102.12092; FLAVA's, arXiv:2112.04482 §3.2). */

import type { EvaluationContext } from "../api/context.ts";
import { runOnce } from "../api/run-once.ts";
import { ConfigError } from "../errors.ts";
import { imageFeeds } from "../evaluators/pair-set.ts";
import { graph, input, reshape, type Value } from "../graph/index.ts";
import type { Pixels } from "../image/index.ts";
import { dvaeDecoderOfIds, dvaeEncoder, reconstruction, visualWords, wordSize } from "../models/dvae/index.ts";
import { codebookImageSize, type FlavaConfig, gridSize } from "../models/flava/index.ts";
import { Params } from "../nn/index.ts";
import type { DvaeStage } from "../pretrain/recipe/index.ts";
import type { Reconstructions } from "../record/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { fromMapped, fromUnit, picturesOf } from "./canvas.ts";
import type { Drawing } from "./drawing.ts";

const SHOWN = 10;

/** After `dvae`: pictures and what the decoder makes of their hard visual words, by the averaged weights where there are some. */
export async function reconstructions({ context, pairs, save }: Drawing<DvaeStage>): Promise<Reconstructions> {
  const { model, state } = context;
  const some = pairs.slice(0, SHOWN);
  const averaged = state.names().some((name) => name.startsWith("ema."));
  const p = averaged ? new Params().at("ema") : new Params();
  const side = codebookImageSize(model);
  const codebook = codebookOf(model);
  const pixels = input("codebook_pixel_values", [some.length, codebook.channels, side, side]);
  const words = visualWords(dvaeEncoder(p.at("image_codebook"), codebook, pixels));
  const feeds = await imageFeeds(context, some);
  const results = await runOnce(context, graph("pictures.codebook", { decoded: decoder(p, model, words) }), feeds);
  const originals = picturesOf(feeds.codebook_pixel_values!, fromMapped);
  const decoded = picturesOf(results.decoded!, fromUnit);
  const size = wordSize(codebook);
  return {
    kind: "reconstructions",
    title: "What the codebook keeps",
    text: `Held-out pictures, and what its decoder makes of their ${gridSize(model.image) ** 2} visual words: each stands for ${size} × ${size} pixels and is one of ${codebook.vocabSize.toLocaleString("en-US")}.`,
    items: await Promise.all(
      some.map(async ({ caption }, i) => ({
        original: await save("picture", i, originals[i]!),
        reconstruction: await save("decoded", i, decoded[i]!),
        caption,
      })),
    ),
  };
}

/** The pictures that visual words (B, P) stand for, by a decoder's weights. */
export async function decodedWords(
  context: EvaluationContext,
  weights: Readonly<Record<string, Tensor>>,
  words: Int32Array,
): Promise<Pixels[]> {
  const P = gridSize(context.model.image) ** 2;
  const shape = [words.length / P, P];
  const g = graph("pictures.decoder", {
    decoded: decoder(new Params(), context.model, input("words", shape, "int32")),
  });
  const named = Object.entries(weights).filter(([name]) => Object.hasOwn(g.inputs, name));
  const feeds = { words: tensor("int32", shape, words) };
  const { decoded } = await runOnce(context, g, feeds, { weights: Object.fromEntries(named) });
  return picturesOf(decoded!, fromUnit);
}

/** Words (B, P) → pixels in 0..1, (B, C, S, S). */
function decoder(p: Params, model: FlavaConfig, words: Value): Value {
  const side = gridSize(model.image);
  const ids = reshape(words, [words.shape[0]!, side, side]);
  return reconstruction(dvaeDecoderOfIds(p.at("image_decoder"), codebookOf(model), ids).mu);
}

function codebookOf({ codebook }: FlavaConfig): NonNullable<FlavaConfig["codebook"]> {
  if (!codebook) throw new ConfigError("pictures: expected a model with a codebook, got none", "set model.codebook");
  return codebook;
}
