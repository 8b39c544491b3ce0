/**
 * ALIGN (Jia et al., arXiv:2102.05918): an EfficientNet and a BERT that meet in a contrastive space. Names are Hugging Face's. Google's own weights
 * were not published; those of Hugging Face's align-base are another group's.
 */
import { log, mean, neg, type Value } from "../../graph/index.ts";
import {
  averaged,
  type BatchNormOptions,
  bertEmbeddings,
  bertLayer,
  constantInit,
  l2Normalize,
  linear,
  normal,
  type Params,
  paddingMask,
  pooler,
  type Taps,
  token,
  xavierUniform,
} from "../../nn/index.ts";
import { type AlignConfig, projectionDim } from "./config.ts";
import { efficientnet } from "./efficientnet.ts";

/** What the image tower gives. */
export interface AlignImage {
  /** After the stem and after each block, (B, C, H, W). */
  readonly hidden_states: readonly Value[];
  /** (B, E): the mean of the last over all places, which is the contrastive space's. */
  readonly features: Value;
}

/** What the text tower gives. */
export interface AlignText {
  /** (B, T, D). */
  readonly last_hidden_state: Value;
  /** tanh(dense(CLS)), (B, D): of the checkpoint, and read by nothing. */
  readonly pooler_output: Value;
  /** (B, E): CLS in the contrastive space, not normalised. */
  readonly features: Value;
}

export interface AlignOptions {
  /** What the image tower normalises by; "running" unless said. */
  readonly statistics?: BatchNormOptions["statistics"];
  readonly out?: Taps | undefined;
}

/** Pixels (B, C, H, W) → the image tower's results. `p` is the root. */
export function alignImage(p: Params, config: AlignConfig, pixels: Value, options: AlignOptions = {}): AlignImage {
  const tower = p.withWeights(normal(config.initializerRange)).at("vision_model");
  const hidden_states = efficientnet(tower, config.image, pixels, options.statistics ?? "running");
  return { hidden_states, features: mean(hidden_states.at(-1)!, [2, 3]) };
}

/** Ids int (B, T), and 1 where a token is one (all are without `keep`) → the text tower's results. `p` is the root. */
export function alignText(
  p: Params,
  config: AlignConfig,
  ids: Value,
  { keep, out }: { readonly keep?: Value | undefined; readonly out?: Taps | undefined } = {},
): AlignText {
  const { text, image } = config;
  const tower = p.withWeights(normal(config.initializerRange)).at("text_model");
  return tower.scope(() => {
    let x = bertEmbeddings(tower.at("embeddings"), text, ids);
    const mask = keep && paddingMask(keep, x);
    for (let i = 0; i < text.layers; i++) x = bertLayer(tower.at(`encoder.layer.${i}`), x, text, { mask, out });
    const projection = p.withWeights(xavierUniform).at("text_projection");
    return {
      last_hidden_state: x,
      pooler_output: pooler(tower.at("pooler"), x),
      features: linear(projection, token(x, 0), projectionDim(image)),
    };
  });
}

/** The log of what cosines are multiplied by, 1 / temperature. `p` is the root. */
export function alignLogitScale(p: Params, { temperatureInit, temperatureRange }: AlignConfig): Value {
  return neg(log(p.get("temperature", [], constantInit(temperatureInit), { clamp: temperatureRange })));
}

/** The next running statistics: those behind expansions have a momentum of their own. */
export function alignMomentum(
  { momentum, expansionMomentum }: AlignConfig["image"],
  observed: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const of = (expansion: boolean): Record<string, Value> =>
    Object.fromEntries(Object.entries(observed).filter(([name]) => name.includes(".expansion.") === expansion));
  return { ...averaged(of(true), expansionMomentum), ...averaged(of(false), momentum) };
}

/** Both towers on a batch of pairs, (B, E) of length 1. `p` is the root. */
export function alignPairs(
  p: Params,
  config: AlignConfig,
  { pixels, ids, keep }: { readonly pixels: Value; readonly ids: Value; readonly keep?: Value | undefined },
  options: AlignOptions = {},
): { readonly image_embeds: Value; readonly text_embeds: Value } {
  return {
    image_embeds: l2Normalize(alignImage(p, config, pixels, options).features),
    text_embeds: l2Normalize(alignText(p, config, ids, { keep, out: options.out }).features),
  };
}
