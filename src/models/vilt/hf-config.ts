/** Hugging Face's config.json of ViLT, in and out (transformers' configuration_vilt). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson, ConfigReading } from "../model.ts";
import { type ViltConfig, type ViltConfigInput, viltConfig } from "./config.ts";

const number = z.number().optional();

const schema = z.looseObject({
  vocab_size: number,
  type_vocab_size: number,
  modality_type_vocab_size: number,
  max_position_embeddings: number,
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
  hidden_act: z.string().default("gelu"),
  hidden_dropout_prob: number,
  attention_probs_dropout_prob: number,
  initializer_range: number,
  layer_norm_eps: z.number().default(1e-12),
  image_size: number,
  patch_size: number,
  num_channels: number,
  qkv_bias: z.boolean().optional(),
  pad_token_id: z.number().nullish(),
  tie_word_embeddings: z.boolean().default(true),
  architectures: z.array(z.string()).nullish(),
  /** The whole configuration where their file cannot say it; written by `viltConfigJson`. */
  flava_options: z.looseObject({}).optional(),
});

/** Their class for retrieval, which has one score instead of two classes. */
const RANKING = "ViltForImageAndTextRetrieval";

/** Whether a config.json is one of their ViLT. */
export const isViltConfig = ({ model_type: type }: ConfigJson): boolean => type === "vilt";

/** Reads a config.json. Dropout, which is training's, is left out, and noted. Throws ConfigError for other activations. */
export function fromViltConfigJson(json: ConfigJson, { note }: ConfigReading = {}): ViltConfig {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new ConfigError(`config.json: ${z.prettifyError(parsed.error)}`);
  const t = parsed.data;
  if (t.flava_options) return viltConfig(t.flava_options as ViltConfigInput);
  for (const name of ["hidden_dropout_prob", "attention_probs_dropout_prob"] as const)
    if (t[name]) note?.(`config.json: ${name} ${t[name]} is left out: there is no dropout here`);
  if (t.hidden_act !== "gelu") throw new ConfigError(`config.json: hidden_act: expected gelu, got ${t.hidden_act}`);
  return viltConfig({
    hiddenSize: t.hidden_size,
    layers: t.num_hidden_layers,
    heads: t.num_attention_heads,
    intermediateSize: t.intermediate_size,
    layerNormEps: t.layer_norm_eps,
    qkvBias: t.qkv_bias,
    initializerRange: t.initializer_range,
    image: { imageSize: t.image_size, patchSize: t.patch_size, channels: t.num_channels },
    text: {
      vocabSize: t.vocab_size,
      maxPositions: t.max_position_embeddings,
      typeVocabSize: t.type_vocab_size,
      padTokenId: t.pad_token_id ?? 0,
      layerNormEps: t.layer_norm_eps,
    },
    modalities: t.modality_type_vocab_size,
    tiedDecoder: t.tie_word_embeddings,
    matchingHead: t.architectures?.includes(RANKING) ? "rank" : "itm",
  });
}

/** The config.json under which transformers loads the model. */
export function viltConfigJson(config: ViltConfig): ConfigJson {
  const { image, text } = config;
  const json = {
    model_type: "vilt",
    architectures: [config.matchingHead === "rank" ? RANKING : "ViltForMaskedLM"],
    torch_dtype: "float32",
    vocab_size: text.vocabSize,
    type_vocab_size: text.typeVocabSize,
    modality_type_vocab_size: config.modalities,
    max_position_embeddings: text.maxPositions,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: "gelu",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    image_size: image.imageSize,
    patch_size: image.patchSize,
    num_channels: image.channels,
    qkv_bias: config.qkvBias,
    max_image_length: -1,
    pad_token_id: text.padTokenId,
    tie_word_embeddings: config.tiedDecoder,
  };
  const said = JSON.stringify(fromViltConfigJson(json)) === JSON.stringify(config);
  return said ? json : { ...json, flava_options: config };
}
