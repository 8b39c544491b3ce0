/** SimVLM's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Layout } from "../layout.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withTextVocabulary } from "../sizes.ts";
import { withHeads } from "../task-head.ts";
import { type SimvlmConfig, simvlmConfigSchema, tokenSide } from "./config.ts";
import { simvlmFeatures, simvlmFusionGraph, simvlmImageGraph, simvlmPairGraph, simvlmTextGraph } from "./graphs.ts";
import { fromSimvlmConfigJson, isSimvlmConfig, simvlmConfigJson } from "./hf-config.ts";
import { inferSimvlmConfig } from "./infer-config.ts";
import { embeddedWords, simvlmDecode, simvlmEncode, simvlmRoot, simvlmWords } from "./model.ts";
import { simvlmVariants } from "./variants.ts";

/** No weights were published: files have the names that this package gives. */
const own: Layout = {
  title: "this package's SimVLM",
  recognise: (tensors) =>
    tensors.has("decoder.layer.0.cross.query.weight") && tensors.has("word_embeddings.weight")
      ? { what: "SimVLM", place: (name) => ({ to: name }) }
      : undefined,
  target: (name) => ({ name }),
};

/** SimVLM of any size. */
export const simvlmFamily: PublishedFamily<SimvlmConfig> = {
  schema: simvlmConfigSchema,
  variants: simvlmVariants,
  parts: {
    image: { needed: "stem.", also: ["image_positions", "encoder."] },
    text: { needed: "decoder.", also: ["word_embeddings.", "encoder_positions.", "decoder_positions."] },
  },
  layouts: { simvlm: own },
  hasWordRows: (name) => name === "word_embeddings.weight",
  mayLack: () => false,
  of: simvlmModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => ({
    ...config,
    image: { ...config.image, stem: "patchify", imageSize: 32, patchSize: 8, stemWidth: 8, blocks: [32] },
    text: { ...config.text, maxPositions: 16 },
    ...{ hiddenSize: 32, heads: 2, intermediateSize: 64, encoderLayers: 2, decoderLayers: 2 },
  }),
  describe,
  isConfig: isSimvlmConfig,
  fromConfig: fromSimvlmConfigJson,
  infer: inferSimvlmConfig,
  configFile: (config) => huggingFaceJson(simvlmConfigJson(config)),
};

/** All parameters and buffers, in the order of a step. */
export function simvlmParameters(config: SimvlmConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  const pixels = input("pixel_values", [1, channels, imageSize, imageSize]);
  const ids = input("input_ids", [1, 1], "int32");
  const memory = simvlmEncode(p, config, { pixels, text: { ids, keep: ids } });
  const words = embeddedWords(simvlmRoot(p, config), config, "decoder", ids);
  simvlmWords(p, config, simvlmDecode(p, config, words, memory));
  return p.specs();
}

const NO_SPACE =
  "SimVLM has no contrastive space: a picture is read together with a text, so they are compared in pairs";

function simvlmModel(config: SimvlmConfig): Model {
  const { image, text } = config;
  const side = tokenSide(image);
  const model: Model = {
    family: "simvlm",
    parameters: () => simvlmParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid: image.imageSize / side,
      patchSize: side,
      words: 0,
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    lacks: {
      image_embeds: NO_SPACE,
      image_features: NO_SPACE,
      text_embeds: NO_SPACE,
      text_features: NO_SPACE,
      logits: "SimVLM has no masked words: it continues captions",
      itm_logits: "SimVLM has no matching head: compare captions by their caption_log_likelihood",
    },
    image: (sizes) => simvlmImageGraph(config, sizes),
    text: (sizes) => simvlmTextGraph(config, sizes),
    pair: (sizes) => simvlmPairGraph(config, sizes),
    fusion: (sizes) => simvlmFusionGraph(config, sizes),
    features: (batch, scope) => simvlmFeatures(config, batch, scope),
  };
  return withHeads(model, {
    image: { result: "pooler_output", take: "whole" },
    text: { result: "pooler_output", take: "whole" },
    pair: { result: "multimodal_embeddings", take: "mean" }, // the decoder's states of the text
  });
}

function describe(config: SimvlmConfig, words: string): [string, string][] {
  const { image, text, hiddenSize } = config;
  const grid = image.imageSize / tokenSide(image);
  const stem =
    image.stem === "resnet"
      ? `stages of ${image.stages.join(", ")} bottlenecks`
      : `squares of ${image.patchSize} px and ${image.blocks.length} bottlenecks`;
  return [
    ["image stem", `${stem}, ${image.imageSize} px in ${grid} × ${grid} places`],
    ["encoder", `${config.encoderLayers} layers of ${hiddenSize} on places and words`],
    ["decoder", `${config.decoderLayers} layers of ${hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
  ];
}
