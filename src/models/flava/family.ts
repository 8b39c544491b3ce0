/** FLAVA's row in the table of families: the interface of `models/model.ts`, implemented. */
import { mean, reshape, slice, type Value } from "../../graph/index.ts";
import type { Params, TransformerConfig } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import { dvaeDecoderOfIds, dvaeEncoder, reconstruction, visualWords, wordSize } from "../dvae/index.ts";
import {
  type Codebook,
  type MaskedHeads,
  type Model,
  modelGraph,
  type PairGraphSizes,
  type PublishedFamily,
} from "../model.ts";
import { gridSize, imageFeatures } from "../vit/index.ts";
import { imageBatch, pairBatch, textBatch } from "./batch.ts";
import { bimodalLayers, gatesOf } from "./bimodal-layers.ts";
import { codebookImageSize, type FlavaConfig, flavaConfigSchema } from "./config.ts";
import { fusionGraph, imageGraph, multimodalGraph, textGraph, wordsGraph } from "./graphs.ts";
import { fromHuggingFaceConfig, isFlavaConfig, toHuggingFaceConfig } from "./hf-config.ts";
import { inferFlavaConfig } from "./infer-config.ts";
import { flavaLayouts } from "./layouts/index.ts";
import { flavaParameters } from "./parameters.ts";
import { pretrainImages, pretrainPairs, pretrainTexts } from "./pretraining.ts";
import { taskGraph } from "./task.ts";
import { variants } from "./variants.ts";

/** FLAVA of any size. */
export const flavaFamily: PublishedFamily<FlavaConfig> = {
  schema: flavaConfigSchema,
  variants,
  parts: {
    image: { needed: "flava.image_model.", also: ["mim_head."] },
    text: { needed: "flava.text_model.", also: ["mlm_head."] },
    codebook: { needed: "image_codebook.", also: ["image_decoder."] },
  },
  layouts: flavaLayouts,
  hasWordRows: (name) =>
    /^(flava\.text_model\.embeddings\.word_embeddings\.weight|mlm_head\.(decoder\.weight|bias))$/.test(name),
  mayLack: (name) => /\.(mask_token|pooler\.dense\.(weight|bias))$/.test(name),
  of: flavaModel,
  withVocabulary: (config, { vocabSize, padTokenId }) => ({
    ...config,
    text: { ...config.text, vocabSize, padTokenId },
  }),
  tiny: tinyFlava,
  describe,
  isConfig: isFlavaConfig,
  fromConfig: fromHuggingFaceConfig,
  infer: inferFlavaConfig,
  configFile: (config, made) => huggingFaceJson(toHuggingFaceConfig(config, made)),
};

function flavaModel(config: FlavaConfig): Model {
  const { image, text, codebook } = config;
  return {
    family: "flava",
    parameters: () => flavaParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: codebookImageSize(config),
      grid: gridSize(image),
      patchSize: image.patchSize,
      words: image.vocabSize,
    },
    texts: {
      vocabSize: text.vocabSize,
      maxPositions: text.maxPositions,
      padHidden: config.textPadMask !== "none" && config.multimodalPadMask,
    },
    logitScale: { name: "flava.logit_scale", range: config.logitScaleRange },
    image: (sizes) => imageGraph(config, sizes),
    text: (sizes) => textGraph(config, sizes),
    pair: (sizes) => multimodalGraph(config, sizes),
    fusion: (sizes) => fusionGraph(config, sizes),
    words: (of, rows) => wordsGraph(config, of === "text" ? "mlm" : "mmm_text", rows),
    task: (head, sizes) => taskGraph(config, head, sizes),
    ...(readsPatches(config) && { attention: (sizes) => attentionToPatches(config, sizes) }),
    features: (batch, scope) => imageFeatures(image, batch, scope),
    masked: maskedHeads(config),
    codebook: codebook ? codebookOf(codebook) : undefined,
  };
}

const maskedHeads = (config: FlavaConfig): MaskedHeads => ({
  image(p, sizes) {
    const { words, mim } = pretrainImages(p, config, imageBatch(config, sizes));
    return { words, image: mim };
  },
  text: (p, sizes) => ({ text: pretrainTexts(p, config, textBatch(sizes)).mlm }),
  pair(p, sizes) {
    const { words, mmm_image, mmm_text } = pretrainPairs(p, config, pairBatch(config, sizes));
    return { words, image: mmm_image, text: mmm_text };
  },
});

const codebookOf = (config: NonNullable<FlavaConfig["codebook"]>): Codebook => {
  const decode = (p: Params, ids: Value): Value =>
    reconstruction(dvaeDecoderOfIds(p.at("image_decoder"), config, ids).mu);
  return {
    channels: config.channels,
    vocabSize: config.vocabSize,
    wordSize: wordSize(config),
    reconstruct(p, pixels) {
      const words = visualWords(dvaeEncoder(p.at("image_codebook"), config, pixels));
      const [B, , H, W] = pixels.shape as [number, number, number, number];
      const [h, w] = [H / wordSize(config), W / wordSize(config)];
      return { words, decoded: decode(p, reshape(words, [B, h, w])) };
    },
    decode,
  };
};

/** Whether text reads the picture in the last multimodal layer. */
function readsPatches({ multimodal }: FlavaConfig): boolean {
  const last = bimodalLayers(multimodal)?.at(-1);
  return last === undefined || gatesOf(last, multimodal).textVision;
}

/** Text tokens to patches, (B, T, P): a part of each row of the softmax, so a row sums to less than 1. */
function attentionToPatches(config: FlavaConfig, sizes: PairGraphSizes): ReturnType<typeof modelGraph> {
  const { graph: g, params } = multimodalGraph(config, { ...sizes, attentions: true });
  const all = g.outputs[`multimodal_attentions.${config.multimodal.layers - 1}`]!; // (B, H, M, M)
  const first = config.multimodal.clsToken ? 2 : 1; // after CLS_M and the image encoder's CLS
  const picture = all.shape[2]! - sizes.textLength;
  const tokens = slice(mean(all, [1]), 1, picture); // (B, T, M)
  const maps = slice(tokens, 2, first, picture);
  return modelGraph("flava.attention", params, { maps });
}

/** Sizes of the tiny model: side of its grid in patches, side of a patch in pixels, tokens of a text, visual words. */
export const TINY_FLAVA = { grid: 4, patch: 8, tokens: 16, words: 32 } as const;

function tinyFlava(config: FlavaConfig): FlavaConfig {
  const small = <T extends TransformerConfig>(encoder: T): T => ({
    ...encoder,
    hiddenSize: 32,
    layers: Math.min(encoder.layers, 2),
    heads: 2,
    intermediateSize: 64,
  });
  const sizes = {
    imageSize: TINY_FLAVA.grid * TINY_FLAVA.patch,
    patchSize: TINY_FLAVA.patch,
    vocabSize: TINY_FLAVA.words,
  };
  return {
    ...config,
    image: { ...small(config.image), ...sizes },
    text: { ...small(config.text), maxPositions: TINY_FLAVA.tokens },
    multimodal: small(firstTwo(config.multimodal)),
    codebook: config.codebook && { ...config.codebook, blocksPerGroup: 1, hiddenSize: 8, vocabSize: TINY_FLAVA.words },
    projectionDim: 16,
  };
}

/** As many kinds of layers as a tiny model has layers. */
const firstTwo = (multimodal: FlavaConfig["multimodal"]): FlavaConfig["multimodal"] =>
  typeof multimodal.layer === "string" ? multimodal : { ...multimodal, layer: multimodal.layer.slice(0, 2) };

const layers = ({ layers: n }: TransformerConfig): string => (n === 1 ? "1 layer" : `${n} layers`);

/** Where the layers are not FLAVA's own. */
function kindsOf({ layer, gates }: FlavaConfig["multimodal"]): string {
  if (layer === "flava") return "";
  const open = Object.entries(gates).flatMap(([gate, is]) => (is ? [gate] : []));
  const said = [layer].flat().join(", ");
  return `, ${said.includes("gated") ? `${said} (open: ${open.join(", ")})` : said}`;
}

function describe(config: FlavaConfig, words: string): [string, string][] {
  const { image, text, multimodal, codebook, projectionDim } = config;
  const grid = gridSize(image);
  return [
    ["image encoder", `${layers(image)} of ${image.hiddenSize}, ${image.imageSize} px in ${grid} × ${grid} patches`],
    ["text encoder", `${layers(text)} of ${text.hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
    [
      "multimodal",
      `${layers(multimodal)} of ${multimodal.hiddenSize}${kindsOf(multimodal)}; contrastive space of ${projectionDim}`,
    ],
    [
      "codebook",
      codebook
        ? `${codebook.vocabSize.toLocaleString("en-US")} visual words on ${codebookImageSize(config)} px`
        : "none",
    ],
  ];
}
