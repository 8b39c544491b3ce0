/** Hugging Face's config.json of CLIP, in and out (transformers' configuration_clip). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson, ConfigReading } from "../model.ts";
import { type ClipConfig, type ClipConfigInput, clipConfig } from "./config.ts";
import { fromOpenClipConfig, isOpenClipConfig } from "./open-clip-config.ts";

const number = z.number().optional();

const encoder = z.looseObject({
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
  layer_norm_eps: number,
  hidden_act: z.string().default("quick_gelu"),
  attention_dropout: number,
  projection_dim: number,
});
const vision = encoder.extend({ image_size: number, patch_size: z.number().default(32), num_channels: number });
const text = encoder.extend({
  vocab_size: number,
  max_position_embeddings: number,
  pad_token_id: z.number().nullish(),
  eos_token_id: z.number().nullish(),
});
const top = z.looseObject({
  projection_dim: number,
  logit_scale_init_value: number,
  /** The whole configuration where their file cannot say it; written by `clipConfigJson`. */
  flava_options: z.looseObject({}).optional(),
});

/** "2" in published files is a mistake of theirs: the end is found as the largest id then. */
const LARGEST_ID = 2;

/** Their classes for one tower, which save a config.json of that tower alone. */
const PARTS: Readonly<Record<string, string>> = { clip_vision_model: "vision_config", clip_text_model: "text_config" };

/** Whether a config.json is one of their CLIP or of one of its towers, or open_clip's. */
export const isClipConfig = (json: ConfigJson): boolean => {
  const { model_type: type } = json;
  return type === "clip" || (typeof type === "string" && Object.hasOwn(PARTS, type)) || isOpenClipConfig(json);
};

/**
 * Reads a config.json. What is missing is as in their class (patches of 32 pixels); dropout, which is training's, is left out, and noted.
 * Throws ConfigError for other activations. open_clip's file is read too.
 */
export function fromClipConfigJson(file: ConfigJson, { note }: ConfigReading = {}): ClipConfig {
  if (isOpenClipConfig(file)) return fromOpenClipConfig(file);
  const part = typeof file.model_type === "string" ? PARTS[file.model_type] : undefined;
  const json = part === undefined ? file : { [part]: file, projection_dim: file.projection_dim };
  const t = read("config.json", top, json);
  if (t.flava_options) return clipConfig(t.flava_options as ClipConfigInput);
  const v = read("config.json: vision_config", vision, partOf(json, "vision_config"));
  const x = read("config.json: text_config", text, partOf(json, "text_config"));
  const end = x.eos_token_id;
  if (end === null) note?.("text_config: eos_token_id is null: the largest id of a text is taken as its end");
  return clipConfig({
    image: {
      ...transformer("vision_config", v, note),
      imageSize: v.image_size,
      patchSize: v.patch_size,
      channels: v.num_channels,
    },
    text: {
      ...transformer("text_config", x, note),
      vocabSize: x.vocab_size,
      maxPositions: x.max_position_embeddings,
      padTokenId: Math.min(x.pad_token_id ?? 0, (x.vocab_size ?? 49_408) - 1),
      endTokenId: end === undefined ? 49_407 : end === LARGEST_ID ? null : end,
    },
    projectionDim: t.projection_dim,
    logitScaleInit: t.logit_scale_init_value,
    ...activations(
      part === "text_config" ? x.hidden_act : v.hidden_act,
      part === "vision_config" ? v.hidden_act : x.hidden_act,
    ),
  });
}

const partOf = (json: ConfigJson, name: string): unknown => json[`${name}_dict`] ?? json[name] ?? {};

function read<T>(where: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`${where}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function transformer(where: string, e: z.infer<typeof encoder>, note: ConfigReading["note"]) {
  if (e.attention_dropout)
    note?.(`${where}: attention_dropout ${e.attention_dropout} is left out: there is no dropout here`);
  return {
    hiddenSize: e.hidden_size,
    layers: e.num_hidden_layers,
    heads: e.num_attention_heads,
    intermediateSize: e.intermediate_size,
    layerNormEps: e.layer_norm_eps,
  };
}

const ACTIVATIONS: Readonly<Record<string, ClipConfig["activation"]>> = { quick_gelu: "quickGelu", gelu: "gelu" };

/** The activation of both towers, and that of texts where it is another. */
function activations(image: string, words: string): Pick<ClipConfigInput, "activation" | "textActivation"> {
  const [activation, textActivation] = [image, words].map((name) => {
    const found = ACTIVATIONS[name];
    if (found === undefined) throw new ConfigError(`config.json: hidden_act: expected quick_gelu or gelu, got ${name}`);
    return found;
  });
  return { activation, textActivation: textActivation === activation ? undefined : textActivation };
}

/** The config.json under which transformers loads the model; a ResNet's, which they have no class for, only this package reads. */
export function clipConfigJson(config: ClipConfig): ConfigJson {
  const { image, text: words, projectionDim, activation, textActivation } = config;
  const theirs = (name: ClipConfig["activation"]): string => (name === "gelu" ? "gelu" : "quick_gelu");
  const shared = ({
    hiddenSize,
    layers,
    heads,
    intermediateSize,
    layerNormEps,
  }: ClipConfig["text"] | ClipConfig["image"]) => ({
    hidden_size: hiddenSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: intermediateSize,
    layer_norm_eps: layerNormEps,
    projection_dim: projectionDim,
  });
  const json = {
    model_type: "clip",
    architectures: ["CLIPModel"],
    torch_dtype: "float32",
    projection_dim: projectionDim,
    logit_scale_init_value: config.logitScaleInit,
    vision_config: {
      model_type: "clip_vision_model",
      ...shared(image),
      hidden_act: theirs(activation),
      image_size: image.imageSize,
      patch_size: image.patchSize,
      num_channels: image.channels,
    },
    text_config: {
      model_type: "clip_text_model",
      ...shared(words),
      hidden_act: theirs(textActivation ?? activation),
      vocab_size: words.vocabSize,
      max_position_embeddings: words.maxPositions,
      pad_token_id: words.padTokenId,
      eos_token_id: words.endTokenId ?? LARGEST_ID,
    },
  };
  const known = image.tower === "vit" && words.endTokenId !== LARGEST_ID;
  const said = known && JSON.stringify(fromClipConfigJson(json)) === JSON.stringify(config);
  return said ? json : { ...json, flava_options: config };
}
