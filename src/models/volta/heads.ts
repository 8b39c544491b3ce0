/** The heads of the controlled study on the five BERTs (VOLTA), and those of LXMERT and VisualBERT in Hugging Face's files. */
import { gelu, mul, relu, slice, tanh, type Value } from "../../graph/index.ts";
import {
  type Bimodal,
  layerNorm,
  linear,
  maskedPredictionHead,
  normal,
  type Params,
  token,
  xavierUniform,
} from "../../nn/index.ts";
import type { VoltaConfig } from "./config.ts";

/**
 * Whether text and regions belong together: logits (B, 2). The study's class 0 is "matched", as is Hugging Face's VisualBERT's; LXMERT's is 1.
 * `p` is the root.
 */
export function voltaMatching(p: Params, config: VoltaConfig, states: Bimodal): Value {
  const head = headScope(p, config).at("cls");
  if (config.pretrainingHeads === "study")
    return linear(head.at("bi_seq_relationship"), voltaPooled(p, config, states), 2);
  return linear(head.at("seq_relationship"), voltaPooled(p, config, states), 2);
}

/** The state of the whole: the study's product of both modalities (B, poolerSize), elsewhere tanh of the text's [CLS] (B, D). `p` is the root. */
export function voltaPooled(p: Params, config: VoltaConfig, { text, vision }: Bimodal): Value {
  const bert = initialised(p, config).at("bert");
  if (config.pretrainingHeads !== "study")
    return tanh(linear(bert.at("pooler.dense"), token(text, 0), config.hiddenSize));
  const pooled = (name: string, x: Value): Value =>
    relu(linear(bert.at(name).at("dense"), token(x, 0), config.poolerSize));
  return mul(pooled("t_pooler", text), pooled("v_pooler", vision));
}

/** The word at each row of states (R, D): logits (R, V), by the word embeddings. `p` is the root. */
export function voltaWords(p: Params, config: VoltaConfig, rows: Value): Value {
  const { hiddenSize, text, layerNormEps: eps } = config;
  const own = initialised(p, config);
  const tied = own.at("bert.embeddings.word_embeddings").get("weight", [text.vocabSize, hiddenSize], own.weightInit);
  const head = headScope(p, config).at("cls.predictions");
  return maskedPredictionHead(head, rows, { vocabSize: text.vocabSize, eps, tied });
}

/** The class of each region, without the mean: states (B, R, D) → logits (B, R − 1, classes). `p` is the root. */
export function voltaRegions(p: Params, config: VoltaConfig, vision: Value): Value {
  const head = headScope(p, config).at("cls.imagePredictions");
  const own = config.regions.mean ? slice(vision, 1, 1) : vision;
  const h = gelu(linear(head.at("transform.dense"), own, config.hiddenSize));
  const normed =
    config.embeddings === "vl-bert" ? h : layerNorm(head.at("transform.LayerNorm"), h, config.layerNormEps);
  return linear(head.at("decoder_dict.0"), normed, config.regions.classes);
}

/** What LXMERT's own head says of each region (arXiv:1908.07490 §3.1.2): states (B, R, D) → (B, R, …) each. `p` is the root. */
export function lxmertRegions(
  p: Params,
  config: VoltaConfig,
  vision: Value,
): { readonly objects: Value; readonly attributes: Value; readonly features: Value } {
  const head = headScope(p, config).at("cls.imagePredictions");
  const h = gelu(linear(head.at("transform.dense"), vision, config.hiddenSize));
  const normed = layerNorm(head.at("transform.LayerNorm"), h, config.layerNormEps);
  const { classes, attributes, features } = config.regions;
  const of = (number: number, width: number): Value => linear(head.at(`decoder_dict.${number}`), normed, width);
  return { objects: of(3, classes), attributes: of(4, attributes), features: of(5, features) };
}

/** What LXMERT's own head answers to a question: the pooled state (B, D) → logits (B, answers). `p` is the root. */
export function lxmertAnswers(p: Params, config: VoltaConfig, pooled: Value): Value {
  const head = headScope(p, config).at("answer_head.logit_fc");
  const h = gelu(linear(head.at(0), pooled, 2 * config.hiddenSize));
  return linear(head.at(3), layerNorm(head.at(2), h, config.layerNormEps), config.answers);
}

const initialised = (p: Params, { initializerRange }: VoltaConfig): Params => p.withWeights(normal(initializerRange));

/** VOLTA draws its heads by their fans, the others as all else. */
const headScope = (p: Params, config: VoltaConfig): Params =>
  config.pretrainingHeads === "study" ? p.withWeights(xavierUniform) : initialised(p, config);
