/**
 * FLAVA for pretraining (arXiv:2112.04482 §3.2; Hugging Face's FlavaForPreTraining, step by step): encoders
 * and heads on one batch of each kind, up to logits and targets. The losses are in `objectives/`; what no loss reads is
 * dropped from the graph, so a loss of weight 0 costs nothing. Heads run on masked positions only.
 */
import { ConfigError } from "../../errors.ts";
import { cast, reshape, type Value } from "../../graph/index.ts";
import {
  type EncoderOutputs,
  initialised,
  l2Normalize,
  maskedPredictionHead,
  maskedTargets,
  type Params,
  type Taps,
  tokensAt,
  valuesAt,
} from "../../nn/index.ts";
import { dvaeEncoder, visualWords } from "../dvae/index.ts";
import type { MaskedPrediction } from "../model.ts";
import { gridSize } from "../vit/index.ts";
import type { ImageBatch, PairBatch, TextBatch } from "./batch.ts";
import type { FlavaConfig } from "./config.ts";
import { itmHead } from "./heads.ts";
import { contrastiveProjection, flavaImage, flavaMultimodal, flavaText, logitScale } from "./model.ts";
import type { ContrastivePass, ImagePretraining, PairPretraining, TextPretraining } from "./outputs.ts";

/** An image batch: masked image modelling on the image encoder. `p` is the root. */
export function pretrainImages(p: Params, config: FlavaConfig, batch: ImageBatch, out?: Taps): ImagePretraining {
  const { pixel_values, bool_masked_pos } = batch;
  const masked = flavaImage(p.at("flava"), config, { pixel_values, bool_masked_pos, out });
  const words = imageWords(p, config, batch, out);
  return { masked, words, mim: maskedPatches(p.at("mim_head"), config, masked, 1, batch, words) };
}

/** A text batch: masked language modelling on the text encoder. `p` is the root. */
export function pretrainTexts(p: Params, config: FlavaConfig, batch: TextBatch, out?: Taps): TextPretraining {
  const { input_ids_masked: input_ids, attention_mask } = batch;
  const masked = flavaText(p.at("flava"), config, { input_ids, attention_mask, out });
  return { masked, mlm: maskedTokens(p.at("mlm_head"), config, masked, 0, batch) };
}

/** A batch of pairs: contrastive on the unmasked pass; masked multimodal modelling and matching on the masked one. */
export function pretrainPairs(p: Params, config: FlavaConfig, batch: PairBatch, out?: Taps): PairPretraining {
  const flava = p.at("flava");
  const { pixel_values, bool_masked_pos, attention_mask, itm_labels } = batch;

  const text = { input_ids: batch.input_ids, attention_mask };
  const unmasked = contrastivePass(flava, config, { pixel_values, ...text });

  const maskedText = { input_ids: batch.input_ids_masked, attention_mask, out };
  const image = flavaImage(flava, config, { pixel_values, bool_masked_pos, out });
  const encodedText = flavaText(flava, config, maskedText);
  const fused = flavaMultimodal(flava, config, image, encodedText, maskedText);

  const words = imageWords(p, config, batch, out);
  // Each patch at its own place. Hugging Face takes 2 also without CLS_M: patches from the second on and the text's CLS.
  const firstPatch = config.multimodal.clsToken ? 2 : 1;
  const firstToken = fused.last_hidden_state.shape[1]! - batch.input_ids.shape[1]!;
  return {
    unmasked: {
      image: unmasked.image,
      text: unmasked.text,
      multimodal: config.skipUnmaskedMultimodalEncoder
        ? undefined
        : flavaMultimodal(flava, config, unmasked.image, unmasked.text, text),
    },
    masked: { image, text: encodedText, multimodal: fused },
    words,
    contrastive: { ...unmasked.contrastive, logit_scale: logitScale(flava, config) },
    itm: {
      logits: itmHead(initialised(p.at("itm_head"), config.multimodal), fused.last_hidden_state),
      labels: itm_labels,
    },
    mmm_image: maskedPatches(p.at("mmm_image_head"), config, fused, firstPatch, batch, words),
    mmm_text: maskedTokens(p.at("mmm_text_head"), config, fused, firstToken, batch),
  };
}

/** What the contrastive loss compares, of unmasked images and texts: both encoders and their projections. `flava` is that scope. */
export function contrastivePass(
  flava: Params,
  config: FlavaConfig,
  { pixel_values, input_ids, attention_mask }: Pick<PairBatch, "pixel_values" | "input_ids" | "attention_mask">,
): ContrastivePass {
  const image = flavaImage(flava, config, { pixel_values });
  const text = flavaText(flava, config, { input_ids, attention_mask });
  const image_projection = contrastiveProjection(flava, config, "image", image);
  const text_projection = contrastiveProjection(flava, config, "text", text);
  const image_embeds = flava.scope(() => l2Normalize(image_projection));
  const text_embeds = flava.scope(() => l2Normalize(text_projection));
  return { image, text, contrastive: { image_projection, text_projection, image_embeds, text_embeds } };
}

/** Visual words of all patches, int32 (B, P): from the frozen codebook, or as fed. */
function imageWords(p: Params, config: FlavaConfig, batch: ImageBatch, out: Taps | undefined): Value {
  if (batch.mim_labels) return batch.mim_labels;
  const scope = p.at("image_codebook");
  if (!batch.codebook_pixel_values || !config.codebook)
    throw new ConfigError(
      `${scope.path}: expected codebook pixels and a codebook, or mim_labels, got neither`,
      "feed mim_labels, or give the model a codebook and the batch codebook_pixel_values",
    );
  const logits = dvaeEncoder(scope, config.codebook, batch.codebook_pixel_values, out);
  out?.set(`${scope.path}.logits`, logits);
  const words = scope.scope(() => visualWords(logits));
  if (words.shape[1] !== gridSize(config.image) ** 2)
    throw new ConfigError(
      `${scope.path}: expected ${gridSize(config.image) ** 2} visual words an image, got ${words.shape[1]}`,
      "the codebook's image must have one word a patch",
    );
  return words;
}

/** The visual words predicted at masked patches; `first` is the place of patch 0 among the encoder's tokens. */
function maskedPatches(
  p: Params,
  config: FlavaConfig,
  encoded: EncoderOutputs,
  first: number,
  batch: ImageBatch,
  words: Value,
): MaskedPrediction {
  const { vocabSize, layerNormEps } = config.image;
  const head = initialised(p, config.image);
  return head.scope(() => {
    const rows = tokensAt(encoded.last_hidden_state, batch.mim_positions, first);
    const logits = maskedPredictionHead(head, rows, { vocabSize, eps: config.headLayerNormEps ?? layerNormEps });
    const weights = reshape(cast(batch.mim_position_mask, logits.dtype), [rows.shape[0]!]);
    return { logits, targets: valuesAt(words, batch.mim_positions), weights };
  });
}

/** The words predicted at masked tokens; `first` is the place of token 0 among the encoder's tokens. */
function maskedTokens(
  p: Params,
  config: FlavaConfig,
  encoded: EncoderOutputs,
  first: number,
  batch: TextBatch,
): MaskedPrediction {
  const { vocabSize, layerNormEps } = config.text;
  const head = initialised(p, config.text);
  return head.scope(() => {
    const rows = tokensAt(encoded.last_hidden_state, batch.mlm_positions, first);
    const logits = maskedPredictionHead(head, rows, { vocabSize, eps: config.headLayerNormEps ?? layerNormEps });
    return { logits, ...maskedTargets(batch.mlm_targets, logits) };
  });
}
