/**
 * ViLBERT, LXMERT, VL-BERT, VisualBERT and UNITER (arXiv:2011.15124): embeddings of each, one stack of bimodal sub-layers, and the heads of
 * the controlled study. Parameter names are those of VOLTA.
 */
import { gelu, mul, relu, slice, type Value } from "../../graph/index.ts";
import {
  type Bimodal,
  bimodalStack,
  layerNorm,
  linear,
  maskedPredictionHead,
  normal,
  type Params,
  paddingMask,
  type Taps,
  token,
  xavierUniform,
} from "../../nn/index.ts";
import { type VoltaConfig, voltaSublayers } from "./config.ts";
import { type VoltaInputs, voltaEmbeddings } from "./embeddings.ts";

/** What hides a key: VOLTA's and BERT's. */
const DROP = -10_000;

export interface VoltaOutputs {
  readonly embeddings: Bimodal;
  /** States of the last sub-layer, (B, T, D) and (B, R, D). */
  readonly states: Bimodal;
}

/** Both modalities through the stack. `p` is the root. */
export function volta(p: Params, config: VoltaConfig, inputs: VoltaInputs, out?: Taps): VoltaOutputs {
  const bert = initialised(p, config).at("bert");
  const embeddings = voltaEmbeddings(bert, config, inputs);
  const masks = {
    text: paddingMask(inputs.attention_mask, embeddings.text, DROP),
    vision: paddingMask(inputs.region_mask, embeddings.vision, DROP),
  };
  const states = bimodalStack(bert, embeddings, voltaSublayers(config), { masks, eps: config.layerNormEps, out });
  return { embeddings, states };
}

/** Whether text and regions belong together: logits (B, 2), class 0 is "matched". `p` is the root. */
export function voltaMatching(p: Params, config: VoltaConfig, { text, vision }: Bimodal): Value {
  const bert = initialised(p, config).at("bert");
  const pooled = (name: string, x: Value): Value =>
    relu(linear(bert.at(name).at("dense"), token(x, 0), config.poolerSize));
  const both = mul(pooled("t_pooler", text), pooled("v_pooler", vision));
  return linear(p.withWeights(xavierUniform).at("cls.bi_seq_relationship"), both, 2);
}

/** The word at each row of states (R, D): logits (R, V), by the word embeddings. `p` is the root. */
export function voltaWords(p: Params, config: VoltaConfig, rows: Value): Value {
  const { hiddenSize, text, layerNormEps: eps } = config;
  const own = initialised(p, config);
  const tied = own.at("bert.embeddings.word_embeddings").get("weight", [text.vocabSize, hiddenSize], own.weightInit);
  const head = p.withWeights(xavierUniform).at("cls.predictions");
  return maskedPredictionHead(head, rows, { vocabSize: text.vocabSize, eps, tied });
}

/** The class of each region, without the first, which is the mean: states (B, R, D) → logits (B, R − 1, classes). `p` is the root. */
export function voltaRegions(p: Params, config: VoltaConfig, vision: Value): Value {
  const head = p.withWeights(xavierUniform).at("cls.imagePredictions");
  const own = slice(vision, 1, 1);
  const h = gelu(linear(head.at("transform.dense"), own, config.hiddenSize));
  const normed =
    config.embeddings === "vl-bert" ? h : layerNorm(head.at("transform.LayerNorm"), h, config.layerNormEps);
  return linear(head.at("decoder_dict.0"), normed, config.regions.classes);
}

const initialised = (p: Params, { initializerRange }: VoltaConfig): Params => p.withWeights(normal(initializerRange));
