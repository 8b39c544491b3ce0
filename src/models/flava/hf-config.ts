/** Hugging Face's config.json of FLAVA, in and out (transformers' configuration_flava). Their defaults are the base model's, as ours are. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { TransformerConfig } from "../../nn/index.ts";
import type { DvaeConfigInput } from "../dvae/config.ts";
import type { ConfigJson, ConfigReading } from "../model.ts";
import { type FlavaConfig, type FlavaConfigInput, flavaConfig, type MultimodalConfig } from "./config.ts";
import { huggingFaceNotes, opensCodebook } from "./hf-notes.ts";

const number = z.number().optional();
const flag = z.boolean().optional();

/** Fields of their transformers that we read. Other keys are generic settings of their library. */
const encoder = z.looseObject({
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
  layer_norm_eps: number,
  initializer_range: number,
  qkv_bias: flag,
  hidden_act: z.string().optional(),
  hidden_dropout_prob: number,
  attention_probs_dropout_prob: number,
});
const image = encoder.extend({
  image_size: number,
  patch_size: number,
  num_channels: number,
  mask_token: flag,
  vocab_size: number,
});
const text = encoder.extend({
  vocab_size: number,
  max_position_embeddings: number,
  type_vocab_size: number,
  pad_token_id: z.number().nullish(),
  position_embedding_type: z.string().optional(),
});
const multimodal = encoder.extend({
  use_cls_token: flag,
  /** Layers that theirs do not have; written by `toHuggingFaceConfig`. */
  bimodal_layer: z.unknown().optional(),
  bimodal_gates: z.unknown().optional(),
});
const codebook = z.looseObject({
  num_groups: number,
  num_blocks_per_group: number,
  input_channels: number,
  hidden_size: number,
  vocab_size: number,
});
const top = z.looseObject({
  model_type: z.literal("flava").optional(),
  hidden_size: number,
  projection_dim: number,
  logit_scale_init_value: number,
  initializer_range: number,
  ce_ignore_index: number,
  global_backprop_contrastive: flag,
  skip_unmasked_multimodal_encoder: flag,
  init_codebook: flag,
  /** What their file cannot say; written by `toHuggingFaceConfig`. */
  flava_options: z.looseObject({}).optional(),
});

/**
 * Reads a config.json of the whole model or of one part. Missing and null parts are the base model's; an older `<part>_config_dict` wins over `<part>_config`, as
 * it does there. `note` is called with whatever is read as something else. Throws ConfigError for another model, or for what
 * this implementation does not compute (dropout, other activations, relative positions).
 */
export function fromHuggingFaceConfig(file: ConfigJson, { note }: ConfigReading = {}): FlavaConfig {
  const json = wholeOf(file);
  const t = read("config.json", top, json);
  if (t.ce_ignore_index !== undefined && t.ce_ignore_index !== -100)
    throw new ConfigError(`config.json: ce_ignore_index: expected -100, got ${t.ce_ignore_index}`);
  const i = read("config.json: image_config", image, part(json, "image_config"));
  const x = read("config.json: text_config", text, part(json, "text_config"));
  const m = read("config.json: multimodal_config", multimodal, part(json, "multimodal_config"));
  const c = read("config.json: image_codebook_config", codebook, part(json, "image_codebook_config"));
  if (x.position_embedding_type !== undefined && x.position_embedding_type !== "absolute")
    throw new ConfigError(
      `text_config: position_embedding_type: expected "absolute", got "${x.position_embedding_type}"`,
    );
  if (x.pad_token_id === null)
    note?.("text_config: pad_token_id is null, which is read as 0: row 0 of the word embeddings starts as zeros");
  const config = flavaConfig({
    image: {
      ...transformer("image_config", i),
      imageSize: i.image_size,
      patchSize: i.patch_size,
      channels: i.num_channels,
      maskToken: i.mask_token,
      vocabSize: i.vocab_size,
    },
    text: {
      ...transformer("text_config", x),
      vocabSize: x.vocab_size,
      maxPositions: x.max_position_embeddings,
      typeVocabSize: x.type_vocab_size,
      padTokenId: x.pad_token_id ?? undefined,
    },
    multimodal: {
      ...transformer("multimodal_config", m),
      clsToken: m.use_cls_token,
      layer: m.bimodal_layer as MultimodalConfig["layer"] | undefined,
      gates: m.bimodal_gates as MultimodalConfig["gates"] | undefined,
    },
    codebook: t.init_codebook === false ? null : codebookOf(c),
    projectionDim: t.projection_dim,
    logitScaleInit: t.logit_scale_init_value,
    contrastiveGather: t.global_backprop_contrastive === false ? "none" : "global",
    skipUnmaskedMultimodalEncoder: t.skip_unmasked_multimodal_encoder,
    ...(t.flava_options as FlavaConfigInput | undefined),
  });
  if (t.hidden_size !== undefined && t.hidden_size !== config.multimodal.hiddenSize)
    throw new ConfigError(
      `config.json: hidden_size: expected multimodal_config.hidden_size ${config.multimodal.hiddenSize}, got ${t.hidden_size}`,
    );
  return config;
}

/** Their classes for parts of the model, which save a config.json of that part alone. */
const PARTS: Readonly<Record<string, string>> = {
  flava_image_model: "image_config",
  flava_text_model: "text_config",
  flava_multimodal_model: "multimodal_config",
  flava_image_codebook: "image_codebook_config",
};

/** Whether a config.json is one of their FLAVA or of a part of it. */
export const isFlavaConfig = ({ model_type: type }: ConfigJson): boolean =>
  type === undefined || type === "flava" || (typeof type === "string" && Object.hasOwn(PARTS, type));

/** A part's file as the whole one's. Heads and codebook agree on the visual words, of whichever of them the part says. */
function wholeOf(file: ConfigJson): ConfigJson {
  const part = typeof file.model_type === "string" ? PARTS[file.model_type] : undefined;
  if (part === undefined) return file;
  const words = file.vocab_size ?? (part === "image_codebook_config" ? 8192 : undefined);
  return {
    model_type: "flava",
    ...(part === "image_codebook_config" ? { image_config: { vocab_size: words } } : { init_codebook: false }),
    [part]: file,
  };
}

/** The weights of the losses that a config.json holds, by the names that `toHuggingFaceConfig` takes. */
export function lossWeightsOf(json: ConfigJson): Record<string, number> {
  const found = Object.entries(WEIGHTS).flatMap(([name, key]) => {
    const weight = json[key];
    return typeof weight === "number" ? [[name, weight] as const] : [];
  });
  return Object.fromEntries(found);
}

const WEIGHTS: Readonly<Record<string, string>> = {
  mim: "mim_weight",
  mlm: "mlm_weight",
  itm: "itm_weight",
  globalContrastive: "global_contrastive_weight",
  mmmImage: "mmm_image_weight",
  mmmText: "mmm_text_weight",
};

/** What config.json says beyond the model's sizes. */
export interface ToHuggingFaceOptions {
  /** Weights of the losses that it was trained with, by name (`mim`, `globalContrastive`, …); 1 unless said. */
  readonly lossWeights?: Readonly<Record<string, number>> | undefined;
  /** Names of the tensors in the file beside it; all of the model's unless said. */
  readonly tensors?: Iterable<string> | undefined;
}

/**
 * The config.json of a model, to be written with `huggingFaceJson`. `flava_options` holds the switches that theirs has no key for,
 * `flava_notes` says where their code reads the file differently from ours; their code ignores both.
 */
export function toHuggingFaceConfig(config: FlavaConfig, options: ToHuggingFaceOptions = {}): ConfigJson {
  const { image: i, text: x, multimodal: m, codebook: c } = config;
  const { lossWeights = {}, tensors } = options;
  const notes = huggingFaceNotes(config, { lossWeights, tensors });
  return {
    architectures: ["FlavaForPreTraining"],
    model_type: "flava",
    hidden_size: m.hiddenSize,
    layer_norm_eps: m.layerNormEps,
    initializer_range: m.initializerRange,
    initializer_factor: 1,
    projection_dim: config.projectionDim,
    logit_scale_init_value: config.logitScaleInit,
    ce_ignore_index: -100,
    ...weightKeys(lossWeights),
    global_backprop_contrastive: config.contrastiveGather === "global",
    skip_unmasked_multimodal_encoder: config.skipUnmaskedMultimodalEncoder,
    return_loss: true,
    init_codebook: opensCodebook(c),
    image_config: imageKeys(i),
    text_config: textKeys(x),
    multimodal_config: {
      model_type: "flava_multimodal_model",
      ...encoderKeys(m),
      use_cls_token: m.clsToken,
      ...(m.layer !== "flava" && { bimodal_layer: m.layer, bimodal_gates: m.gates }),
    },
    image_codebook_config: c && codebookKeys(c),
    flava_options: {
      textPadMask: config.textPadMask,
      multimodalPadMask: config.multimodalPadMask,
      headLayerNormEps: config.headLayerNormEps,
      logitScaleRange: config.logitScaleRange,
      contrastiveGather: config.contrastiveGather,
      ...(c && !opensCodebook(c) ? { codebook: c } : {}),
    },
    ...(notes.length > 0 ? { flava_notes: notes } : {}),
  };
}

/** One part of the file; null and absent are empty. */
function part(json: ConfigJson, name: string): ConfigJson {
  const [given, older] = [name, `${name}_dict`].map((key) =>
    read(`config.json: ${key}`, z.looseObject({}).nullish(), json[key]),
  );
  return { ...given, ...older };
}

function read<T>(where: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`${where}:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

type Input<T> = { [K in keyof T]: T[K] | undefined };

function transformer(where: string, e: z.infer<typeof encoder>): Input<TransformerConfig> {
  if (e.hidden_act !== undefined && e.hidden_act !== "gelu")
    throw new ConfigError(`${where}: hidden_act: expected "gelu", got "${e.hidden_act}"`);
  for (const key of ["hidden_dropout_prob", "attention_probs_dropout_prob"] as const)
    if (e[key])
      throw new ConfigError(
        `${where}: ${key}: expected 0, got ${e[key]}`,
        "FLAVA has no dropout; for inference, set it to 0 and nothing changes",
      );
  return {
    hiddenSize: e.hidden_size,
    layers: e.num_hidden_layers,
    heads: e.num_attention_heads,
    intermediateSize: e.intermediate_size,
    layerNormEps: e.layer_norm_eps,
    qkvBias: e.qkv_bias,
    initializerRange: e.initializer_range,
  };
}

const weightKeys = (lossWeights: Readonly<Record<string, number>>): ConfigJson =>
  Object.fromEntries(Object.entries(WEIGHTS).map(([name, key]) => [key, lossWeights[name] ?? 1]));

const imageKeys = (i: FlavaConfig["image"]): ConfigJson => ({
  model_type: "flava_image_model",
  ...encoderKeys(i),
  image_size: i.imageSize,
  patch_size: i.patchSize,
  num_channels: i.channels,
  mask_token: i.maskToken,
  vocab_size: i.vocabSize,
});

const textKeys = (x: FlavaConfig["text"]): ConfigJson => ({
  model_type: "flava_text_model",
  ...encoderKeys(x),
  vocab_size: x.vocabSize,
  max_position_embeddings: x.maxPositions,
  type_vocab_size: x.typeVocabSize,
  position_embedding_type: "absolute",
  pad_token_id: x.padTokenId,
});

const codebookKeys = (c: NonNullable<FlavaConfig["codebook"]>): ConfigJson => ({
  model_type: "flava_image_codebook",
  num_groups: c.groups,
  num_blocks_per_group: c.blocksPerGroup,
  input_channels: c.channels,
  hidden_size: c.hiddenSize,
  vocab_size: c.vocabSize,
  freeze: true,
});

const encoderKeys = (t: TransformerConfig): ConfigJson => ({
  hidden_size: t.hiddenSize,
  num_hidden_layers: t.layers,
  num_attention_heads: t.heads,
  intermediate_size: t.intermediateSize,
  hidden_act: "gelu",
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  layer_norm_eps: t.layerNormEps,
  initializer_range: t.initializerRange,
  qkv_bias: t.qkvBias,
});

const codebookOf = (c: z.infer<typeof codebook>): DvaeConfigInput => ({
  groups: c.num_groups,
  blocksPerGroup: c.num_blocks_per_group,
  channels: c.input_channels,
  hiddenSize: c.hidden_size,
  vocabSize: c.vocab_size,
});
