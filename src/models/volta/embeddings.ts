/** How each of the five BERTs turns text and regions into tokens (arXiv:2011.15124 §3; VOLTA's embeddings, by its names). */
import {
  abs,
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  equal,
  gather,
  mul,
  reduceMax,
  relu,
  reshape,
  slice,
  sub,
  sum,
  type Value,
  where,
} from "../../graph/index.ts";
import {
  type Bimodal,
  bertEmbeddings,
  constantInit,
  embedding,
  layerNorm,
  linear,
  type Params,
  xavierUniform,
} from "../../nn/index.ts";
import { fromNumbers } from "../../tensor/index.ts";
import type { RegionBatch } from "../regions.ts";
import type { VoltaConfig } from "./config.ts";

/** A batch of texts and regions; with `regions.mean` the first region is the mean of all, its box the whole picture; a masked one is all zeros. */
export interface VoltaInputs extends RegionBatch {
  /** vl-bert: (B, R, 8·waves): of centre and size of each box × 100, all sines, then all cosines of each. */
  readonly region_waves?: Value | undefined;
}

/** Tokens of both modalities, (B, T, D) and (B, R, D). `p` is the scope `bert`. */
export const voltaEmbeddings = (p: Params, config: VoltaConfig, inputs: VoltaInputs): Bimodal =>
  p.scope(() => EMBED[config.embeddings](p, config, inputs));

type Embed = (p: Params, config: VoltaConfig, inputs: VoltaInputs) => Bimodal;

const EMBED: { readonly [K in VoltaConfig["embeddings"]]: Embed } = {
  vilbert(p, config, inputs) {
    const vision = p.at("v_embeddings");
    const { features, boxes } = projected(vision, config, inputs);
    return {
      text: text(p, config, inputs),
      vision: layerNorm(vision.at("LayerNorm"), add(features, boxes), config.layerNormEps),
    };
  },
  lxmert(p, config, inputs) {
    const vision = p.at("v_embeddings");
    const { features, boxes } = projected(vision, config, inputs);
    const normed = (name: string, x: Value): Value => layerNorm(vision.at(name), x, config.layerNormEps);
    const both = add(normed("ImgLayerNorm", features), normed("LocLayerNorm", boxes));
    return { text: text(p, config, inputs), vision: mul(both, 0.5) };
  },
  visualbert(p, config, inputs) {
    const scope = p.at("embeddings");
    const words = text(p, config, inputs);
    const D = config.hiddenSize;
    const row = (name: string, rows: number, at: number): Value =>
      slice(scope.at(name).get("weight", [rows, D], scope.weightInit), 0, at, at + 1);
    const features = linear(scope.at("projection"), inputs.region_features, D);
    const position = row("position_embeddings_visual", config.text.maxPositions, 0);
    const type = row("token_type_embeddings_visual", TYPES, 1);
    const vision = layerNorm(scope.at("LayerNorm"), add(features, add(position, type)), config.layerNormEps);
    return { text: words, vision };
  },
  uniter(p, config, inputs) {
    const scope = p.at("embeddings");
    const words = text(p, config, inputs);
    const { features, boxes } = projected(scope, config, inputs);
    const normed = (name: string, x: Value): Value => layerNorm(scope.at(name), x, config.layerNormEps);
    const types = scope.at("token_type_embeddings").get("weight", [TYPES, config.hiddenSize], scope.weightInit);
    const both = add(normed("image_layer_norm", features), normed("image_location_layer_norm", boxes));
    return { text: words, vision: normed("v_LayerNorm", add(both, slice(types, 0, 1, 2))) };
  },
  "vl-bert": vlBert,
};

/** Token types of all but VL-BERT, which has one more for regions. */
const TYPES = 2;

function text(p: Params, config: VoltaConfig, { input_ids }: VoltaInputs): Value {
  const { hiddenSize, layerNormEps, text: sizes } = config;
  const firstRowsFixed = config.pretrainingHeads === "lxmert";
  const all = { hiddenSize, layerNormEps, typeVocabSize: TYPES, ...sizes, firstRowsFixed };
  return bertEmbeddings(p.at("embeddings"), all, input_ids);
}

/** Features and boxes of regions, each by a linear layer of its own. */
const projected = (p: Params, { hiddenSize }: VoltaConfig, { region_features, region_boxes }: VoltaInputs) => ({
  features: linear(p.at("image_embeddings"), region_features, hiddenSize),
  boxes: linear(p.at("image_location_embeddings"), region_boxes, hiddenSize),
});

/**
 * A region is its feature beside the waves of its box, an object word, a type and the place after the text; every word is added the last
 * region's. Padded words count on after the regions.
 */
function vlBert(p: Params, config: VoltaConfig, inputs: VoltaInputs): Bimodal {
  const { hiddenSize: D, layerNormEps: eps, text: sizes } = config;
  const { input_ids, region_waves } = inputs;
  const scope = p.at("embeddings");
  const { B, R } = inputs.region_features.dims("B R F");
  const T = input_ids.shape[1]!;
  const table = (name: string, rows: number): Value => scope.at(name).get("weight", [rows, D], scope.weightInit);
  const normed = (name: string, x: Value): Value => {
    scope.at(name).get("weight", [D], constantInit(0)); // starts with no say in the sum, as published
    return layerNorm(scope.at(name), x, eps);
  };

  const features = shownFeatures(scope, inputs);
  const down = scope.withWeights(xavierUniform).at("obj_downsample.1");
  const g = relu(linear(down, concat([region_waves!, features], 2), D)); // (B, R, D)
  const object = reshape(table("object_linguistic_embeddings", 1), [1, 1, D]);
  const end = reshape(table("end_embedding", 1), [1, 1, D]);
  const isLast = constant(
    fromNumbers(
      Array.from({ length: R }, (_, r) => (r === R - 1 ? 1 : 0)),
      [1, R, 1],
      "int32",
    ),
  );
  const object_words = where(equal(broadcastTo(isLast, [B, R, D]), 1), end, object);

  const words = embedding(scope.at("word_embeddings"), input_ids, sizes.vocabSize, D, { paddingId: sizes.padTokenId });
  const positions = table("position_embeddings", sizes.maxPositions);
  const types = table("token_type_embeddings", TYPES + 1);
  const type = (i: number): Value => reshape(slice(types, 0, i, i + 1), [D]);
  const { ofText, ofRegions } = places(inputs, T, R, isLast);

  const whole = normed("visual_ln_text", slice(g, 1, R - 1)); // (B, 1, D)
  const sums = {
    text: add(add(words, whole), add(gather(positions, ofText), type(0))),
    vision: add(add(normed("visual_ln_object", g), object_words), add(gather(positions, ofRegions), type(2))),
  };
  const last = (x: Value): Value => layerNorm(scope.at("LayerNorm"), x, eps);
  return { text: last(sums.text), vision: last(sums.vision) };
}

/** The features, with a learned vector where all numbers are 0: a masked region. */
function shownFeatures(p: Params, { region_features: f }: VoltaInputs): Value {
  const { B, R, F } = f.dims("B R F");
  const learned = p.at("object_mask_visual_embedding").get("weight", [1, F], p.weightInit);
  const isMasked = equal(reduceMax(abs(f), [2], { keep: true }), 0); // (B, R, 1)
  return where(broadcastTo(isMasked, [B, R, F]), reshape(learned, [1, 1, F]), f);
}

/** Positions int (B, T) of words, 0, 1, …, the padded ones R further; (B, R) of regions, n, and n + 1 for the last, n words before. */
function places({ input_ids, attention_mask }: VoltaInputs, T: number, R: number, isLast: Value) {
  const B = input_ids.shape[0]!;
  const keep = cast(attention_mask, "int32");
  const all = constant(
    fromNumbers(
      Array.from({ length: T }, (_, t) => t),
      [1, T],
      "int32",
    ),
  );
  const ofText = add(all, mul(sub(1, keep), R));
  const n = sum(keep, [1], { keep: true }); // (B, 1)
  return { ofText, ofRegions: add(broadcastTo(n, [B, R]), reshape(isLast, [1, R])) };
}
