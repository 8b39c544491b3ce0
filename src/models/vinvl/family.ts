/** VinVL's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import type { Layout } from "../layout.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { type VinvlConfig, vinvlConfigSchema } from "./config.ts";
import { fromVinvlConfigJson, inferVinvlConfig, isVinvlConfig, vinvlConfigJson } from "./hf-config.ts";
import { BOX_NUMBERS, type VinvlInputs, vinvl, vinvlClasses, vinvlWords } from "./model.ts";
import { vinvlVariants } from "./variants.ts";

/** The names of Oscar's checkpoints, which are ours. */
const oscar: Layout = {
  title: "Oscar",
  recognise: (tensors) =>
    tensors.has("bert.img_embedding.weight")
      ? {
          what: "Oscar",
          place: (name) =>
            /^cls\.predictions\.decoder\./.test(name) ? { ignored: "copies of the word embeddings" } : { to: name },
        }
      : undefined,
  target: (name) => ({ name }),
};

/** Oscar+ of any size. */
export const vinvlFamily: PublishedFamily<VinvlConfig> = {
  schema: vinvlConfigSchema,
  variants: vinvlVariants,
  parts: { model: { needed: "bert.", also: ["cls."] } },
  layouts: { oscar },
  hasWordRows: (name) => /^(bert\.embeddings\.word_embeddings\.weight|cls\.predictions\.bias)$/.test(name),
  mayLack: () => false,
  of: vinvlModel,
  withVocabulary: (config, { vocabSize, padTokenId }) => ({
    ...config,
    text: { ...config.text, vocabSize, padTokenId },
  }),
  tiny: (config) => ({
    ...config,
    ...{ hiddenSize: 32, layers: 2, heads: 2, intermediateSize: 64 },
    text: { ...config.text, maxPositions: 24 },
  }),
  describe: ({ layers, hiddenSize, text, regions }, words) => [
    ["encoder", `${layers} layers of ${hiddenSize} on words, object tags and regions together`],
    ["regions", `features of ${regions.features} and ${BOX_NUMBERS} numbers of their boxes, of a detector outside`],
    ["texts", `up to ${text.maxPositions} tokens, words: ${words}`],
  ],
  isConfig: isVinvlConfig,
  fromConfig: fromVinvlConfigJson,
  infer: inferVinvlConfig,
  configFile: (config) => `${JSON.stringify(vinvlConfigJson(config), null, 2)}\n`,
};

/** All parameters, in the order of a step. */
export function vinvlParameters(config: VinvlConfig): ParamSpec[] {
  const p = new Params();
  const { pooler_output } = vinvl(p, config, vinvlInputs(config, { batch: 1, textLength: 1, regions: 1 }));
  vinvlClasses(p, config, pooler_output);
  vinvlWords(p, config, input("states", [1, config.hiddenSize]));
  return p.specs();
}

/** Inputs with the names that batches have. */
export function vinvlInputs(
  config: VinvlConfig,
  { batch, textLength, regions }: { readonly batch: number; readonly textLength: number; readonly regions: number },
): VinvlInputs {
  const ids = (name: string) => input(name, [batch, textLength], "int32");
  return {
    input_ids: ids("input_ids"),
    attention_mask: ids("attention_mask"),
    token_type_ids: ids("token_type_ids"),
    region_features: input("region_features", [batch, regions, config.regions.features]),
    region_boxes: input("region_boxes", [batch, regions, BOX_NUMBERS]),
    region_mask: input("region_mask", [batch, regions], "int32"),
  };
}

const DETECTOR =
  "VinVL reads what a detector saw in a picture (features, boxes, tags), not the picture, and the detector is no part of it";
const NO_CONTRAST = `VinVL has no contrastive space; ${DETECTOR}`;

function vinvlModel(config: VinvlConfig): Model {
  return {
    family: "vinvl",
    parameters: () => vinvlParameters(config),
    texts: { vocabSize: config.text.vocabSize, maxPositions: config.text.maxPositions, padHidden: true },
    lacks: {
      image_embeds: NO_CONTRAST,
      image_features: NO_CONTRAST,
      text_embeds: NO_CONTRAST,
      text_features: NO_CONTRAST,
      itm_logits: DETECTOR,
      multimodal_embeddings: DETECTOR,
    },
  };
}
