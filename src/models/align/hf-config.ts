/** Hugging Face's config.json of ALIGN, in and out (transformers' configuration_align). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson, ConfigReading } from "../model.ts";
import { type AlignConfig, type AlignConfigInput, alignConfig, projectionDim } from "./config.ts";

const number = z.number().optional();
const list = z.array(z.number()).optional();

const vision = z.looseObject({
  image_size: z.number().default(600),
  num_channels: number,
  width_coefficient: number,
  depth_coefficient: number,
  depth_divisor: number,
  kernel_sizes: list,
  in_channels: list,
  out_channels: list,
  depthwise_padding: list,
  strides: list,
  num_block_repeats: list,
  expand_ratios: list,
  squeeze_expansion_ratio: number,
  batch_norm_eps: number,
  batch_norm_momentum: z.number().default(0.99),
  hidden_act: z.string().default("swish"),
  pooling_type: z.string().default("mean"),
});
const text = z.looseObject({
  vocab_size: number,
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
  hidden_act: z.string().default("gelu"),
  max_position_embeddings: number,
  type_vocab_size: number,
  layer_norm_eps: number,
  pad_token_id: z.number().nullish(),
});
const top = z.looseObject({
  projection_dim: z.number().default(640),
  temperature_init_value: number,
  initializer_range: number,
  /** What their file cannot say; written by `alignConfigJson`. */
  flava_options: z.looseObject({}).optional(),
});

/** EfficientNet-B7's, which their files keep; ALIGN reads pictures of 289 pixels. */
const B7_SIZE = 600;
const ALIGN_SIZE = 289;

/** Their classes for one tower, which save a config.json of that tower alone. */
const PARTS: Readonly<Record<string, string>> = {
  align_vision_model: "vision_config",
  align_text_model: "text_config",
};

/** Whether a config.json is one of their ALIGN or of one of its towers. */
export const isAlignConfig = ({ model_type: type }: ConfigJson): boolean =>
  type === "align" || (typeof type === "string" && Object.hasOwn(PARTS, type));

/**
 * Reads a config.json. What is missing is as in their class. Throws ConfigError for what is not computed here: other activations and
 * poolings, a space of another width than the last block's. Dropout is training's and not read.
 */
export function fromAlignConfigJson(file: ConfigJson, { note }: ConfigReading = {}): AlignConfig {
  const part = typeof file.model_type === "string" ? PARTS[file.model_type] : undefined;
  const json = part === undefined ? file : { [part]: file };
  const t = read("config.json", top, json);
  const v = read("config.json: vision_config", vision, json.vision_config ?? {});
  const x = read("config.json: text_config", text, json.text_config ?? {});
  expectOnly("vision_config: hidden_act", v.hidden_act, "swish", "silu");
  expectOnly("vision_config: pooling_type", v.pooling_type, "mean");
  expectOnly("text_config: hidden_act", x.hidden_act, "gelu");
  if (v.image_size === B7_SIZE)
    note?.(
      `vision_config: image_size ${B7_SIZE} is EfficientNet-B7's: pictures of ${ALIGN_SIZE} pixels are read, as ALIGN's are`,
    );
  const options = (t.flava_options ?? {}) as { image?: object };
  const config = alignConfig({
    initializerRange: t.initializer_range,
    temperatureInit: t.temperature_init_value,
    ...options,
    image: { ...imageOf(v), ...options.image },
    text: {
      hiddenSize: x.hidden_size,
      layers: x.num_hidden_layers,
      heads: x.num_attention_heads,
      intermediateSize: x.intermediate_size,
      layerNormEps: x.layer_norm_eps,
      vocabSize: x.vocab_size,
      maxPositions: x.max_position_embeddings,
      typeVocabSize: x.type_vocab_size,
      padTokenId: x.pad_token_id ?? undefined,
    },
  });
  if (part === undefined && projectionDim(config.image) !== t.projection_dim)
    throw new ConfigError(
      `config.json: projection_dim: expected ${projectionDim(config.image)}, the channels of the last block, got ${t.projection_dim}`,
    );
  return config;
}

function read<T>(where: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`${where}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function expectOnly(key: string, got: string, ...known: readonly string[]): void {
  if (!known.includes(got)) throw new ConfigError(`config.json: ${key}: expected ${known[0]}, got ${got}`);
}

/** Their momentum is what is kept, ours what is new; torch reads theirs the other way, which only training sees. */
const imageOf = (v: z.infer<typeof vision>): AlignConfigInput["image"] => ({
  imageSize: v.image_size === B7_SIZE ? ALIGN_SIZE : v.image_size,
  channels: v.num_channels,
  widthCoefficient: v.width_coefficient,
  depthCoefficient: v.depth_coefficient,
  depthDivisor: v.depth_divisor,
  kernelSizes: v.kernel_sizes,
  inChannels: v.in_channels,
  outChannels: v.out_channels,
  depthwisePadding: v.depthwise_padding,
  strides: v.strides,
  repeats: v.num_block_repeats,
  expandRatios: v.expand_ratios,
  squeezeRatio: v.squeeze_expansion_ratio,
  batchNormEps: v.batch_norm_eps,
  momentum: Number((1 - v.batch_norm_momentum).toFixed(10)),
});

/** The config.json under which transformers loads the model. */
export function alignConfigJson(config: AlignConfig): ConfigJson {
  const { image: v, text: x, initializerRange, temperatureInit, ...switches } = config;
  const json = {
    model_type: "align",
    architectures: ["AlignModel"],
    torch_dtype: "float32",
    projection_dim: projectionDim(v),
    temperature_init_value: temperatureInit,
    initializer_range: initializerRange,
    vision_config: {
      model_type: "align_vision_model",
      image_size: v.imageSize,
      num_channels: v.channels,
      width_coefficient: v.widthCoefficient,
      depth_coefficient: v.depthCoefficient,
      depth_divisor: v.depthDivisor,
      kernel_sizes: v.kernelSizes,
      in_channels: v.inChannels,
      out_channels: v.outChannels,
      depthwise_padding: v.depthwisePadding,
      strides: v.strides,
      num_block_repeats: v.repeats,
      expand_ratios: v.expandRatios,
      squeeze_expansion_ratio: v.squeezeRatio,
      batch_norm_eps: v.batchNormEps,
      batch_norm_momentum: Number((1 - v.momentum).toFixed(10)),
      hidden_dim: projectionDim(v),
      hidden_act: "swish",
      pooling_type: "mean",
      initializer_range: initializerRange,
    },
    text_config: {
      model_type: "align_text_model",
      vocab_size: x.vocabSize,
      hidden_size: x.hiddenSize,
      num_hidden_layers: x.layers,
      num_attention_heads: x.heads,
      intermediate_size: x.intermediateSize,
      hidden_act: "gelu",
      max_position_embeddings: x.maxPositions,
      type_vocab_size: x.typeVocabSize,
      layer_norm_eps: x.layerNormEps,
      pad_token_id: x.padTokenId,
      initializer_range: initializerRange,
    },
  };
  if (JSON.stringify(fromAlignConfigJson(json)) === JSON.stringify(config)) return json;
  return {
    ...json,
    flava_options: { ...switches, image: { imageSize: v.imageSize, expansionMomentum: v.expansionMomentum } },
  };
}
