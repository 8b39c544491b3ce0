/** ALIGN's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withTextVocabulary } from "../sizes.ts";
import { withHeads } from "../task-head.ts";
import { type AlignConfig, alignConfigSchema, blocksOf, gridOf, projectionDim } from "./config.ts";
import { alignFeatures, alignImageGraph, alignTextGraph } from "./graphs.ts";
import { alignConfigJson, fromAlignConfigJson, isAlignConfig } from "./hf-config.ts";
import { inferAlignConfig } from "./infer-config.ts";
import { alignLayouts } from "./layouts.ts";
import { alignLogitScale, alignPairs } from "./model.ts";
import { alignVariants } from "./variants.ts";

/** ALIGN of any size. */
export const alignFamily: PublishedFamily<AlignConfig> = {
  schema: alignConfigSchema,
  variants: alignVariants,
  parts: {
    image: { needed: "vision_model.", also: [] },
    text: { needed: "text_model.", also: ["text_projection."] },
  },
  layouts: alignLayouts,
  hasWordRows: (name) => name === "text_model.embeddings.word_embeddings.weight",
  mayLack: (name) => name.startsWith("text_model.pooler."),
  of: alignModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => ({
    ...config,
    image: alignVariants.tiny!.image,
    text: { ...config.text, hiddenSize: 32, layers: 2, heads: 2, intermediateSize: 64, maxPositions: 16 },
  }),
  describe,
  isConfig: isAlignConfig,
  fromConfig: fromAlignConfigJson,
  infer: inferAlignConfig,
  configFile: (config) => huggingFaceJson(alignConfigJson(config)),
};

/** All parameters and buffers, in the order of a step. */
export function alignParameters(config: AlignConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  const pixels = input("pixel_values", [1, channels, imageSize, imageSize]);
  alignPairs(p, config, { pixels, ids: input("input_ids", [1, 1], "int32") });
  alignLogitScale(p, config);
  return p.specs();
}

const NO_FUSION =
  "ALIGN has no matching head and no multimodal encoder: compare pictures and texts by their embeddings";

function alignModel(config: AlignConfig): Model {
  const { image, text } = config;
  const grid = gridOf(image);
  const model: Model = {
    family: "align",
    parameters: () => alignParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid,
      patchSize: Math.round(image.imageSize / grid),
      words: 0,
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    logitScale: { name: "temperature", range: config.temperatureRange, form: "temperature" },
    lacks: { itm_logits: NO_FUSION, multimodal_embeddings: NO_FUSION, logits: NO_FUSION },
    image: (sizes) => alignImageGraph(config, sizes),
    text: (sizes) => alignTextGraph(config, sizes),
    features: (batch, scope) => alignFeatures(config, batch, scope),
  };
  return withHeads(model, {
    image: { result: "pooler_output", take: "whole" },
    text: { result: "text_embeddings", take: "first" }, // the pooler of the checkpoint is read by nothing
  });
}

function describe({ image, text }: AlignConfig, words: string): [string, string][] {
  const grid = gridOf(image);
  return [
    [
      "image tower",
      `an EfficientNet of ${blocksOf(image).length} blocks, ${image.imageSize} px in ${grid} × ${grid} places`,
    ],
    ["text tower", `${text.layers} layers of ${text.hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
    ["contrast", `a space of ${projectionDim(image)}`],
  ];
}
