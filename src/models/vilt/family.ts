/** ViLT's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withTextVocabulary } from "../sizes.ts";
import { withHeads } from "../task-head.ts";
import { type ViltConfig, viltConfigSchema, viltGrid } from "./config.ts";
import {
  viltAttention,
  viltFusionGraph,
  viltImageGraph,
  viltPairGraph,
  viltTextGraph,
  viltWordsGraph,
} from "./graphs.ts";
import { fromViltConfigJson, isViltConfig, viltConfigJson } from "./hf-config.ts";
import { inferViltConfig } from "./infer-config.ts";
import { viltLayouts } from "./layouts/index.ts";
import { viltFuse, viltImage, viltMatching, viltText, viltWords } from "./model.ts";
import { viltMaskedPairs } from "./pretraining.ts";
import { viltVariants } from "./variants.ts";

/** ViLT of any size. */
export const viltFamily: PublishedFamily<ViltConfig> = {
  schema: viltConfigSchema,
  variants: viltVariants,
  parts: { model: { needed: "vilt.", also: ["mlm_score.", "itm_score.", "rank_output."] } },
  layouts: viltLayouts,
  hasWordRows: (name) =>
    /^(vilt\.embeddings\.text_embeddings\.word_embeddings\.weight|mlm_score\.(decoder\.weight|decoder\.bias|bias))$/.test(
      name,
    ),
  mayLack: (name) => /^vilt\.(embeddings\.(text|token_type)_embeddings|pooler)\./.test(name), // a ViT has none of them
  of: viltModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => ({
    ...config,
    ...{ hiddenSize: 32, layers: 2, heads: 2, intermediateSize: 64 },
    image: { ...config.image, imageSize: 32, patchSize: 8 },
    text: { ...config.text, maxPositions: 16 },
  }),
  describe,
  isConfig: isViltConfig,
  fromConfig: fromViltConfigJson,
  infer: inferViltConfig,
  configFile: (config) => huggingFaceJson(viltConfigJson(config)),
};

/** All parameters, in the order of a step. */
export function viltParameters(config: ViltConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  const image = viltImage(p, config, input("pixel_values", [1, channels, imageSize, imageSize]));
  const text = viltText(p, config, input("input_ids", [1, 1], "int32"));
  viltMatching(p, config, viltFuse(p, config, text, image).pooler_output);
  viltWords(p, config, input("states", [1, config.hiddenSize]));
  return p.specs();
}

const NO_CONTRAST =
  "ViLT has no contrastive space: words and patches meet in one transformer, so a picture or a text alone has no embedding; match() compares a picture with a text";
const ALONE = "ViLT encodes no modality alone: encodePair gives multimodal_embeddings";

function viltModel(config: ViltConfig): Model {
  const { image, text } = config;
  const model: Model = {
    family: "vilt",
    parameters: () => viltParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid: viltGrid(image),
      patchSize: image.patchSize,
      words: 0,
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    lacks: {
      ...{
        image_embeds: NO_CONTRAST,
        image_features: NO_CONTRAST,
        text_embeds: NO_CONTRAST,
        text_features: NO_CONTRAST,
      },
      ...{ image_embeddings: ALONE, text_embeddings: ALONE, logits: ALONE },
    },
    image: (sizes) => viltImageGraph(config, sizes),
    text: (sizes) => viltTextGraph(config, sizes),
    pair: (sizes) => viltPairGraph(config, sizes),
    fusion: (sizes) => viltFusionGraph(config, sizes),
    words: (of, rows) => (of === "pair" ? viltWordsGraph(config, rows) : undefined),
    attention: (sizes) => viltAttention(config, sizes),
    masked: { pair: (p, sizes) => ({ text: viltMaskedPairs(p, config, sizes) }) },
  };
  return withHeads(model, { pair: { result: "pooler_output", take: "whole" } });
}

function describe({ image, text, ...config }: ViltConfig, words: string): [string, string][] {
  const grid = viltGrid(image);
  return [
    ["encoder", `${config.layers} layers of ${config.hiddenSize} on words and patches together`],
    ["pictures", `${image.imageSize} px in ${grid} × ${grid} patches`],
    ["texts", `up to ${text.maxPositions} tokens, words: ${words}`],
  ];
}
