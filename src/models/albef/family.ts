/** ALBEF's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withTextVocabulary } from "../sizes.ts";
import { withHeads } from "../task-head.ts";
import { type AlbefConfig, albefConfigSchema, albefGrid } from "./config.ts";
import {
  albefAttention,
  albefFusionGraph,
  albefImageGraph,
  albefPairGraph,
  albefPictureFeatures,
  albefTextGraph,
  albefWordsGraph,
} from "./graphs.ts";
import { albefConfigJson, fromAlbefConfigJson, isAlbefConfig } from "./hf-config.ts";
import { inferAlbefConfig } from "./infer-config.ts";
import { albefLayouts } from "./layouts/index.ts";
import {
  albefFeatures,
  albefFuse,
  albefImage,
  albefMatching,
  albefTemperature,
  albefText,
  albefWords,
} from "./model.ts";
import { albefMaskedPairs } from "./pretraining.ts";
import { albefVariants } from "./variants.ts";

/** ALBEF of any size. */
export const albefFamily: PublishedFamily<AlbefConfig> = {
  schema: albefConfigSchema,
  variants: albefVariants,
  parts: {
    image: { needed: "visual_encoder.", also: ["vision_proj."] },
    text: { needed: "text_encoder.bert.", also: ["text_encoder.cls.", "text_proj.", "itm_head.", "temp"] },
  },
  layouts: albefLayouts,
  hasWordRows: (name) =>
    /^text_encoder\.(bert\.embeddings\.word_embeddings\.weight|cls\.predictions\.bias)$/.test(name),
  mayLack: (name) => /\.crossattention\./.test(name), // BERT has none
  of: albefModel,
  withVocabulary: withTextVocabulary,
  tiny: ({ image, text, ...config }) => ({
    ...config,
    image: { ...image, ...LAYERS, layers: 2, imageSize: 32, patchSize: 8 },
    text: { ...text, ...LAYERS, layers: 1, fusionLayers: 1, maxPositions: 16 },
    projectionDim: 16,
  }),
  describe,
  isConfig: isAlbefConfig,
  fromConfig: fromAlbefConfigJson,
  infer: inferAlbefConfig,
  configFile: (config) => huggingFaceJson(albefConfigJson(config)),
};

const LAYERS = { hiddenSize: 32, heads: 2, intermediateSize: 64 } as const;

/** All parameters, in the order of a step; averages and queues are not among them. */
export function albefParameters(config: AlbefConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  albefTemperature(p, config);
  const image = albefImage(p, config, input("pixel_values", [1, channels, imageSize, imageSize]));
  const text = albefText(p, config, input("input_ids", [1, 1], "int32"));
  const fused = albefFuse(p, config, { text, image });
  albefFeatures(p, config, "vision", image);
  albefFeatures(p, config, "text", text);
  albefMatching(p, fused);
  albefWords(p, config, input("states", [1, config.text.hiddenSize]));
  return p.specs();
}

function albefModel(config: AlbefConfig): Model {
  const { image, text } = config;
  const model: Model = {
    family: "albef",
    parameters: () => albefParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid: albefGrid(image),
      patchSize: image.patchSize,
      words: 0,
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    logitScale: { name: "temp", range: config.temperatureRange, form: "temperature" },
    image: (sizes) => albefImageGraph(config, sizes),
    text: (sizes) => albefTextGraph(config, sizes),
    pair: (sizes) => albefPairGraph(config, sizes),
    fusion: (sizes) => albefFusionGraph(config, sizes),
    words: (of, rows) => (of === "pair" ? albefWordsGraph(config, rows) : undefined),
    attention: (sizes) => albefAttention(config, sizes),
    features: (batch, scope) => albefPictureFeatures(config, batch, scope),
    masked: { pair: (p, sizes) => ({ text: albefMaskedPairs(p, config, sizes) }) },
    lacks: { logits: "ALBEF tells masked words beside a picture: give one" },
  };
  return withHeads(model, {
    image: { result: "image_embeddings", take: "first" },
    text: { result: "text_embeddings", take: "first" },
    pair: { result: "multimodal_embeddings", take: "first" },
  });
}

function describe({ image, text, projectionDim }: AlbefConfig, words: string): [string, string][] {
  const grid = albefGrid(image);
  return [
    [
      "image encoder",
      `${image.layers} layers of ${image.hiddenSize}, ${image.imageSize} px in ${grid} × ${grid} patches`,
    ],
    ["text encoder", `${text.layers} layers of ${text.hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
    ["multimodal", `${text.fusionLayers} layers of ${text.hiddenSize} that read the picture`],
    ["contrast", `a space of ${projectionDim}`],
  ];
}
