/** Oscar's config.json, in and out, and the sizes of a checkpoint without one. */
import { z } from "zod";
import { CheckpointError, ConfigError } from "../../errors.ts";
import type { Shapes } from "../layout.ts";
import type { ConfigJson, InferredConfig } from "../model.ts";
import { defined } from "../sizes.ts";
import { type VinvlConfig, type VinvlConfigInput, vinvlConfig } from "./config.ts";
import { BOX_NUMBERS } from "./model.ts";

const number = z.number().optional();
const schema = z.looseObject({
  vocab_size: number,
  max_position_embeddings: number,
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
  hidden_act: z.string().default("gelu"),
  layer_norm_eps: number,
  initializer_range: number,
  img_feature_dim: number,
  img_feature_type: z.string().default("faster_r-cnn"),
  use_img_layernorm: z.union([z.number(), z.boolean()]).nullish(),
  img_layer_norm_eps: number,
  pad_token_id: number,
  num_contrast_classes: z.number().default(2),
});

/** Oscar's files do not say what they are, or that they are a BERT's: their key for the width of regions does. */
export const isVinvlConfig = ({ model_type: type, img_feature_dim: width }: ConfigJson): boolean =>
  type === "oscar" || ((type === undefined || type === "bert") && typeof width === "number");

/** What is missing is as in Oscar's code: no norm behind regions, two classes. Throws ConfigError for what is not computed here. Dropout, which is none when a model is used, is passed over. */
export function fromVinvlConfigJson(json: ConfigJson): VinvlConfig {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new ConfigError(`config.json: ${z.prettifyError(parsed.error)}`);
  const t = parsed.data;
  if (t.hidden_act !== "gelu") throw new ConfigError(`config.json: hidden_act: expected gelu, got ${t.hidden_act}`);
  if (t.img_feature_type !== "faster_r-cnn")
    throw new ConfigError(`config.json: img_feature_type: expected faster_r-cnn, got ${t.img_feature_type}`);
  return vinvlConfig({
    hiddenSize: t.hidden_size,
    layers: t.num_hidden_layers,
    heads: t.num_attention_heads,
    intermediateSize: t.intermediate_size,
    layerNormEps: t.layer_norm_eps,
    initializerRange: t.initializer_range,
    text: defined({ vocabSize: t.vocab_size, maxPositions: t.max_position_embeddings, padTokenId: t.pad_token_id }),
    regions: defined({
      features: t.img_feature_dim === undefined ? undefined : t.img_feature_dim - BOX_NUMBERS,
      layerNorm: Boolean(t.use_img_layernorm),
      layerNormEps: t.img_layer_norm_eps,
    }),
    classes: t.num_contrast_classes as VinvlConfigInput["classes"],
  });
}

/** The config.json of a model. */
export const vinvlConfigJson = (config: VinvlConfig): ConfigJson => ({
  model_type: "oscar",
  vocab_size: config.text.vocabSize,
  max_position_embeddings: config.text.maxPositions,
  type_vocab_size: 2,
  pad_token_id: config.text.padTokenId,
  hidden_size: config.hiddenSize,
  num_hidden_layers: config.layers,
  num_attention_heads: config.heads,
  intermediate_size: config.intermediateSize,
  hidden_act: "gelu",
  layer_norm_eps: config.layerNormEps,
  initializer_range: config.initializerRange,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  img_feature_type: "faster_r-cnn",
  img_feature_dim: config.regions.features + BOX_NUMBERS,
  use_img_layernorm: config.regions.layerNorm ? 1 : 0,
  img_layer_norm_eps: config.regions.layerNormEps,
  num_contrast_classes: config.classes,
});

/** Width of a head in all published BERTs. */
const HEAD_WIDTH = 64;

/** Throws CheckpointError where the shapes contradict each other. */
export function inferVinvlConfig(where: string, tensors: Shapes): InferredConfig<VinvlConfig> {
  const shape = (name: string): readonly number[] | undefined => tensors.get(name)?.shape;
  const [hiddenSize = 0, region = 0] = shape("bert.img_embedding.weight") ?? [];
  const heads = Math.max(1, Math.floor(hiddenSize / HEAD_WIDTH));
  const layers = [...tensors.keys()].filter((name) =>
    /^bert\.encoder\.layer\.\d+\.attention\.self\.query\.weight$/.test(name),
  ).length;
  try {
    const config = vinvlConfig({
      hiddenSize,
      heads,
      layers,
      intermediateSize: shape("bert.encoder.layer.0.intermediate.dense.weight")?.[0],
      text: defined({
        vocabSize: shape("bert.embeddings.word_embeddings.weight")?.[0],
        maxPositions: shape("bert.embeddings.position_embeddings.weight")?.[0],
      }),
      regions: { features: region - BOX_NUMBERS, layerNorm: tensors.has("bert.LayerNorm.weight") },
      classes: shape("cls.seq_relationship.weight")?.[0] as VinvlConfigInput["classes"],
    });
    return { config, assumed: [`${heads} heads of ${hiddenSize / heads}, which no shape says`] };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of an Oscar: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}
