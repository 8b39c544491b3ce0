/** The config.json of an ALBEF: nobody else's code has one, so ours says all; the authors' config_bert.json says the text encoder's sizes. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson, ConfigReading } from "../model.ts";
import { type AlbefConfig, type AlbefConfigInput, albefConfig } from "./config.ts";

const number = z.number().optional();

/** salesforce/ALBEF, configs/config_bert.json. */
const bert = z.looseObject({
  hidden_size: number,
  num_hidden_layers: z.number().default(12),
  fusion_layer: z.number().default(6),
  num_attention_heads: number,
  intermediate_size: number,
  vocab_size: number,
  max_position_embeddings: number,
  type_vocab_size: number,
  pad_token_id: z.number().nullish(),
  layer_norm_eps: number,
  initializer_range: number,
  hidden_act: z.string().default("gelu"),
});

/** Whether a config.json is ours, or the authors' of the text encoder: a BERT with a layer from which on it reads pictures. */
export const isAlbefConfig = (json: ConfigJson): boolean =>
  json.model_type === "albef" || (json.model_type === "bert" && "fusion_layer" in json);

/** Reads a config.json. Throws ConfigError. Of the authors' file dropout is left out: it is none in use. */
export function fromAlbefConfigJson(json: ConfigJson, { note }: ConfigReading = {}): AlbefConfig {
  if (json.model_type === "albef") {
    if (typeof json.flava_options === "object" && json.flava_options !== null)
      return albefConfig(json.flava_options as AlbefConfigInput);
    throw new ConfigError("config.json: expected flava_options with the sizes of the ALBEF, got none");
  }
  const parsed = bert.safeParse(json);
  if (!parsed.success) throw new ConfigError(`config.json: ${z.prettifyError(parsed.error)}`);
  const t = parsed.data;
  if (t.hidden_act !== "gelu") throw new ConfigError(`config.json: hidden_act: expected gelu, got ${t.hidden_act}`);
  note?.("config.json is the text encoder's: the image encoder is taken to be ViT-B/16 on 256 pixels");
  return albefConfig({
    text: {
      hiddenSize: t.hidden_size,
      layers: t.fusion_layer,
      fusionLayers: t.num_hidden_layers - t.fusion_layer,
      heads: t.num_attention_heads,
      intermediateSize: t.intermediate_size,
      vocabSize: t.vocab_size,
      maxPositions: t.max_position_embeddings,
      typeVocabSize: t.type_vocab_size,
      padTokenId: t.pad_token_id ?? 0,
      layerNormEps: t.layer_norm_eps,
      initializerRange: t.initializer_range,
    },
  });
}

/** The config.json under which this package loads the model. */
export const albefConfigJson = (config: AlbefConfig): ConfigJson => ({
  model_type: "albef",
  architectures: ["ALBEF"],
  torch_dtype: "float32",
  flava_options: config,
});
