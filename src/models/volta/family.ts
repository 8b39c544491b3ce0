/** The row of the five BERTs in the table of families: the interface of `models/model.ts`, implemented. */
import { z } from "zod";
import { CheckpointError, ConfigError } from "../../errors.ts";
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import type { Layout } from "../layout.ts";
import type { ConfigJson, Model, PublishedFamily } from "../model.ts";
import { singleStream, type VoltaConfig, voltaConfig, voltaConfigSchema } from "./config.ts";
import type { VoltaInputs } from "./embeddings.ts";
import { volta, voltaMatching, voltaRegions, voltaWords } from "./model.ts";
import { voltaVariants } from "./variants.ts";

/** The names of VOLTA, which are ours. */
const names: Layout = {
  title: "VOLTA",
  recognise: (tensors) =>
    tensors.has("bert.encoder.layer.0.attention_self.query.weight")
      ? {
          what: "a BERT of VOLTA",
          place: (name) =>
            /^cls\.predictions\.decoder\./.test(name) ? { ignored: "copies of the word embeddings" } : { to: name },
        }
      : undefined,
  target: (name) => ({ name }),
};

/** Where a config.json says what it is. */
const configSchema = z.looseObject({ volta: z.unknown() });

/** Any of the five, of any size. */
export const voltaFamily: PublishedFamily<VoltaConfig> = {
  schema: voltaConfigSchema,
  variants: voltaVariants,
  parts: { model: { needed: "bert.", also: ["cls."] } },
  layouts: { volta: names },
  hasWordRows: (name) => /^(bert\.embeddings\.word_embeddings\.weight|cls\.predictions\.bias)$/.test(name),
  mayLack: () => false,
  of: voltaModel,
  withVocabulary: (config, { vocabSize, padTokenId }) => ({
    ...config,
    text: { ...config.text, vocabSize, padTokenId },
  }),
  tiny: (config) => ({
    ...config,
    ...{ hiddenSize: 32, heads: 2, intermediateSize: 64, poolerSize: 32, control: singleStream(2) },
    text: { ...config.text, maxPositions: 64 },
  }),
  describe: ({ embeddings, hiddenSize, control, text, regions }, words) => [
    ["encoder", `${embeddings}: ${new Set(Object.values(control).flat()).size} sub-layers of ${hiddenSize}`],
    ["regions", `features of ${regions.features}, ${regions.classes} classes, of a detector outside`],
    ["texts", `up to ${text.maxPositions} tokens, words: ${words}`],
  ],
  isConfig: ({ model_type: type }) => type === "volta",
  fromConfig(json: ConfigJson): VoltaConfig {
    const parsed = configSchema.safeParse(json);
    if (!parsed.success || parsed.data.volta === undefined)
      throw new ConfigError("config.json: expected a key volta with the configuration, got none");
    return voltaConfig(parsed.data.volta as VoltaConfig);
  },
  infer(where) {
    throw new CheckpointError(
      `${where}: expected a config.json, got none: the shapes of the five BERTs do not say which sub-layers read what`,
      'put a config.json beside the weights: {"model_type": "volta", "volta": {"embeddings": "vilbert", "control": …}}',
    );
  },
  configFile: (config) => `${JSON.stringify({ model_type: "volta", volta: config }, null, 2)}\n`,
};

/** All parameters, in the order of a step. */
export function voltaParameters(config: VoltaConfig): ParamSpec[] {
  const p = new Params();
  const { states } = volta(p, config, voltaInputs(config, { batch: 1, textLength: 1, regions: 2 }));
  voltaMatching(p, config, states);
  voltaWords(p, config, input("states", [1, config.hiddenSize]));
  voltaRegions(p, config, states.vision);
  return p.specs();
}

/** Inputs with the names that batches have; `regions` counts the mean. */
export function voltaInputs(
  config: VoltaConfig,
  { batch, textLength, regions }: { readonly batch: number; readonly textLength: number; readonly regions: number },
): VoltaInputs {
  const { features, waves } = config.regions;
  const own = config.embeddings === "vl-bert";
  return {
    input_ids: input("input_ids", [batch, textLength], "int32"),
    attention_mask: input("attention_mask", [batch, textLength], "int32"),
    region_features: input("region_features", [batch, regions, features]),
    region_boxes: input("region_boxes", [batch, regions, 5]),
    region_mask: input("region_mask", [batch, regions], "int32"),
    region_waves: own ? input("region_waves", [batch, regions, 8 * waves]) : undefined,
  };
}

const DETECTOR =
  "the five BERTs read what a detector saw in a picture (features and boxes), not the picture, and the detector is no part of them";

function voltaModel(config: VoltaConfig): Model {
  return {
    family: "volta",
    parameters: () => voltaParameters(config),
    texts: { vocabSize: config.text.vocabSize, maxPositions: config.text.maxPositions, padHidden: true },
    lacks: Object.fromEntries(
      ["image_embeds", "image_features", "text_embeds", "text_features", "itm_logits", "multimodal_embeddings"].map(
        (name) => [name, DETECTOR],
      ),
    ),
  };
}
