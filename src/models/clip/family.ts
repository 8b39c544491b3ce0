/** CLIP's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withHeads } from "../task-head.ts";
import { type ClipConfig, clipConfigSchema, tokenSide } from "./config.ts";
import { clipFeatures, clipImageGraph, clipTextGraph } from "./graphs.ts";
import { clipConfigJson, fromClipConfigJson, isClipConfig } from "./hf-config.ts";
import { inferClipConfig } from "./infer-config.ts";
import { clipLayouts } from "./layouts/index.ts";
import { clipLogitScale, clipPairs } from "./model.ts";
import { clipVariants } from "./variants.ts";

/** CLIP of any size. */
export const clipFamily: PublishedFamily<ClipConfig> = {
  schema: clipConfigSchema,
  variants: clipVariants,
  parts: {
    image: { needed: "vision_model.", also: ["visual_projection."] },
    text: { needed: "text_model.", also: ["text_projection."] },
  },
  layouts: clipLayouts,
  hasWordRows: (name) => name === "text_model.embeddings.token_embedding.weight",
  mayLack: () => false,
  of: clipModel,
  withVocabulary: (config, { vocabSize, padTokenId, endTokenId }) => ({
    ...config,
    text: { ...config.text, vocabSize, padTokenId, endTokenId },
  }),
  tiny: (config) => ({
    ...config,
    image: { ...config.image, ...LAYERS, imageSize: 32, patchSize: 8, blocks: [1, 1, 1, 1], width: 4 },
    text: { ...config.text, ...LAYERS, maxPositions: 16 },
    projectionDim: 16,
  }),
  describe,
  isConfig: isClipConfig,
  fromConfig: fromClipConfigJson,
  infer: inferClipConfig,
  configFile: (config) => huggingFaceJson(clipConfigJson(config)),
};

const LAYERS = { hiddenSize: 32, layers: 2, heads: 2, intermediateSize: 64 } as const;

/** All parameters and buffers, in the order of a step. */
export function clipParameters(config: ClipConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  clipPairs(p, config, input("pixel_values", [1, channels, imageSize, imageSize]), input("input_ids", [1, 1], "int32"));
  clipLogitScale(p, config);
  return p.specs();
}

const NO_FUSION =
  "CLIP has no matching head and no masked words: pictures and texts are compared by their embeddings alone";

function clipModel(config: ClipConfig): Model {
  const { image, text } = config;
  const model: Model = {
    family: "clip",
    parameters: () => clipParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid: image.imageSize / tokenSide(image),
      patchSize: tokenSide(image),
      words: 0,
      fit: "cover",
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    logitScale: { name: "logit_scale", range: config.logitScaleRange },
    lacks: { itm_logits: NO_FUSION, multimodal_embeddings: NO_FUSION, logits: NO_FUSION },
    image: (sizes) => clipImageGraph(config, sizes),
    text: (sizes) => clipTextGraph(config, sizes),
    features: (batch, scope) => clipFeatures(config, batch, scope),
  };
  const take = { result: "pooler_output", take: "whole" } as const;
  return withHeads(model, { image: take, text: take });
}

function describe({ image, text, projectionDim }: ClipConfig, words: string): [string, string][] {
  const grid = image.imageSize / tokenSide(image);
  const tower =
    image.tower === "vit"
      ? `${image.layers} layers of ${image.hiddenSize}`
      : `a ResNet of ${image.blocks.join(", ")} blocks, ${image.width} wide`;
  return [
    ["image tower", `${tower}, ${image.imageSize} px in ${grid} × ${grid} places`],
    ["text tower", `${text.layers} layers of ${text.hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
    ["contrast", `a space of ${projectionDim}`],
  ];
}
