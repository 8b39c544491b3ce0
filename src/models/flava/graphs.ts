/** Whole graphs for using a trained model: images, texts, and pairs of them. Inputs and results have Hugging Face's names. */
import { input, type Value } from "../../graph/index.ts";
import { initialised, l2Normalize, maskedPredictionHead, Params } from "../../nn/index.ts";
import {
  type ImageGraphSizes,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TextGraphSizes,
} from "../model.ts";
import type { FlavaConfig } from "./config.ts";
import { itmHead } from "./heads.ts";
import { contrastiveProjection, flavaImage, flavaMultimodal, flavaText, fuse, type UnimodalOutputs } from "./model.ts";

/**
 * `pixel_values` (B, C, H, W) → `image_embeddings` (B, N, D), `pooler_output` (B, D), `image_features` (B, E): the contrastive
 * projection of CLS, `image_embeds` (B, E): the same of length 1, and `image_mm` (B, N, D): what the multimodal encoder reads.
 */
export function imageGraph(config: FlavaConfig, sizes: ImageGraphSizes): ModelGraph {
  const p = new Params();
  const image = encodedImage(p, config, sizes);
  const { pooler_output, last_hidden_state: image_embeddings, to_mm: image_mm } = image;
  return modelGraph("flava.image", p, {
    image_embeddings,
    pooler_output,
    ...features(p, config, "image", image),
    image_mm,
  });
}

/**
 * `input_ids` (B, T) and `attention_mask` → `text_embeddings` (B, T, D), `pooler_output` (B, D), `text_features` and
 * `text_embeds` (B, E), and `text_mm` (B, T, D): what the multimodal encoder reads.
 */
export function textGraph(config: FlavaConfig, sizes: TextGraphSizes): ModelGraph {
  const p = new Params();
  const text = flavaText(p.at("flava"), config, textInputs(sizes));
  const { pooler_output, last_hidden_state: text_embeddings, to_mm: text_mm } = text;
  return modelGraph("flava.text", p, { text_embeddings, pooler_output, ...features(p, config, "text", text), text_mm });
}

/**
 * The multimodal encoder alone, on what the two encoders gave: `image_mm` (B, N, D), `text_mm` (B, T, D) and `attention_mask`
 * (where it is read) → `multimodal_embeddings` (B, M, D), `pooler_output` (B, D) and `itm_logits` (B, 2). Image and text are so
 * encoded once, however many pairs they are in, and no weight lies in two graphs.
 */
export function fusionGraph(config: FlavaConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const { batch, textLength, height = config.image.imageSize, width = config.image.imageSize } = sizes;
  const { hiddenSize } = config.multimodal;
  const patches = (height / config.image.patchSize) * (width / config.image.patchSize);
  const inputs = textInputs(sizes);
  const fused = fuse(p.at("flava"), config, {
    image_mm: input("image_mm", [batch, 1 + patches, hiddenSize]),
    text_mm: input("text_mm", [batch, textLength, hiddenSize]),
    ...inputs,
  });
  return modelGraph("flava.fusion", p, {
    multimodal_embeddings: fused.last_hidden_state,
    pooler_output: fused.pooler_output,
    itm_logits: itmHead(initialised(p.at("itm_head"), config.multimodal), fused.last_hidden_state),
  });
}

/** `states` (R, D) at masked tokens → `logits` (R, V) over the words: of the text encoder ("mlm") or of pairs ("mmm_text"). */
export function wordsGraph(config: FlavaConfig, head: "mlm" | "mmm_text", rows: number): ModelGraph {
  const p = new Params();
  const encoder = head === "mlm" ? config.text : config.multimodal;
  const states = input("states", [rows, encoder.hiddenSize]);
  const eps = config.headLayerNormEps ?? encoder.layerNormEps;
  const scope = initialised(p.at(`${head}_head`), encoder);
  const { vocabSize } = config.text;
  return modelGraph(`flava.${head}`, p, { logits: maskedPredictionHead(scope, states, { vocabSize, eps }) });
}

/**
 * Pairs: the inputs of both → `multimodal_embeddings` (B, M, D), `pooler_output` (B, D), `itm_logits` (B, 2) with class 1
 * "matched", both modalities' embeddings and features, and attention maps where asked for.
 */
export function multimodalGraph(config: FlavaConfig, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  const taps = new Map<string, Value>();
  const inputs = textInputs(sizes);
  const image = encodedImage(p, config, sizes);
  const text = flavaText(p.at("flava"), config, inputs);
  const fused = flavaMultimodal(p.at("flava"), config, image, text, { ...inputs, out: taps });
  const shown = (what: string, named: string) =>
    [...taps]
      .filter(([name]) => name.endsWith(`.${what}`))
      .map(([, matrix], layer) => [`multimodal_${named}.${layer}`, matrix] as const);
  return modelGraph("flava.multimodal", p, {
    multimodal_embeddings: fused.last_hidden_state,
    pooler_output: fused.pooler_output,
    itm_logits: itmHead(initialised(p.at("itm_head"), config.multimodal), fused.last_hidden_state),
    image_embeddings: image.last_hidden_state,
    text_embeddings: text.last_hidden_state,
    ...features(p, config, "image", image),
    ...features(p, config, "text", text),
    ...(sizes.attentions
      ? Object.fromEntries([...shown("probabilities", "attentions"), ...shown("scores", "scores")])
      : {}),
  });
}

function encodedImage(p: Params, config: FlavaConfig, sizes: ImageGraphSizes): UnimodalOutputs {
  const { channels, imageSize } = config.image;
  const { batch, height = imageSize, width = imageSize, interpolate } = sizes;
  const pixel_values = input("pixel_values", [batch, channels, height, width]);
  return flavaImage(p.at("flava"), config, { pixel_values, interpolate });
}

function textInputs({ batch, textLength, attentionMask = true }: TextGraphSizes) {
  const shape = [batch, textLength];
  return {
    input_ids: input("input_ids", shape, "int32"),
    attention_mask: attentionMask ? input("attention_mask", shape, "int32") : undefined,
  };
}

function features(p: Params, config: FlavaConfig, modality: "image" | "text", encoded: UnimodalOutputs) {
  const projected = contrastiveProjection(p.at("flava"), config, modality, encoded);
  return { [`${modality}_features`]: projected, [`${modality}_embeds`]: l2Normalize(projected) };
}
