/**
 * FLAVA without its losses (arXiv:2112.04482 §3.1): two unimodal encoders, the multimodal encoder on their projected states,
 * the contrastive projections. Parameter names are those of the published checkpoint.
 *
 * Where the public implementations differ from each other, `FlavaConfig` has a switch:
 * - padded text in the multimodal encoder: hidden (Hugging Face since 2024), attended (before; torchmultimodal): `multimodalPadMask`
 * - padded text in the text encoder: as fed (Hugging Face), from the ids (torchmultimodal): `textPadMask`
 * - LayerNorm eps of the heads: the encoder's (Hugging Face), 1e-5 (torchmultimodal): `headLayerNormEps`
 * Everywhere: the multimodal encoder reads the states before the final LayerNorm, the contrastive projections the CLS after it.
 */
import { constant, equal, type Value, where } from "../../graph/index.ts";
import {
  constantInit,
  type Drop,
  type EncoderOutputs,
  type Interpolation,
  initialised,
  linear,
  type Params,
  type Taps,
  token,
} from "../../nn/index.ts";
import { imageEncoder } from "../vit/image-encoder.ts";
import type { FlavaConfig } from "./config.ts";
import { multimodalEncoder } from "./multimodal-encoder.ts";
import { textEncoder } from "./text-encoder.ts";

/** Inputs of the image encoder. */
export interface ImageInputs {
  /** (B, C, H, W), normalised. */
  pixel_values: Value;
  /** bool (B, P). */
  bool_masked_pos?: Value | undefined;
  interpolate?: Interpolation | undefined;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

/** Inputs of the text encoder. */
export interface TextInputs {
  /** int (B, T). */
  input_ids: Value;
  /** (B, T), 1 where a token counts. */
  attention_mask?: Value | undefined;
  token_type_ids?: Value | undefined;
  position_ids?: Value | undefined;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

/** One unimodal encoder's results, and its states projected for the multimodal encoder. */
export interface UnimodalOutputs extends EncoderOutputs {
  readonly to_mm: Value;
}

/** The image encoder and `image_to_mm_projection`. `p` is the scope `flava`. */
export function flavaImage(p: Params, config: FlavaConfig, { pixel_values, ...options }: ImageInputs): UnimodalOutputs {
  const image = imageEncoder(p.at("image_model"), config.image, pixel_values, options);
  const scope = initialised(p, config.image).at("image_to_mm_projection");
  return { ...image, to_mm: linear(scope, image.hidden_states.at(-1)!, config.multimodal.hiddenSize) };
}

/** The text encoder and `text_to_mm_projection`. `p` is the scope `flava`. */
export function flavaText(p: Params, config: FlavaConfig, { input_ids, ...options }: TextInputs): UnimodalOutputs {
  const attention_mask = textMask(config, input_ids, options.attention_mask);
  const text = textEncoder(p.at("text_model"), config.text, input_ids, { ...options, attention_mask });
  const scope = initialised(p, config.text).at("text_to_mm_projection");
  return { ...text, to_mm: linear(scope, text.hidden_states.at(-1)!, config.multimodal.hiddenSize) };
}

/** The multimodal encoder on both; `text` gives the padding that it hides. `p` is the scope `flava`. */
export function flavaMultimodal(
  p: Params,
  config: FlavaConfig,
  image: UnimodalOutputs,
  text: UnimodalOutputs,
  inputs: TextInputs,
): EncoderOutputs {
  return fuse(p, config, { ...inputs, image_mm: image.to_mm, text_mm: text.to_mm });
}

/** The projected states of both encoders, and the text that they came from. */
export interface FusionInputs extends TextInputs {
  readonly image_mm: Value;
  readonly text_mm: Value;
}

/** The multimodal encoder on projected states. `p` is the scope `flava`. */
export function fuse(
  p: Params,
  config: FlavaConfig,
  { image_mm, text_mm, input_ids, attention_mask, out, drop }: FusionInputs,
): EncoderOutputs {
  const mask = config.multimodalPadMask ? textMask(config, input_ids, attention_mask) : undefined;
  return multimodalEncoder(p.at("multimodal_model"), config.multimodal, image_mm, text_mm, {
    attention_mask: mask,
    out,
    drop,
  });
}

/** The contrastive projection of an encoder's CLS after the final LayerNorm, not normalised: (B, projectionDim). */
export function contrastiveProjection(
  p: Params,
  config: FlavaConfig,
  modality: "image" | "text",
  encoded: EncoderOutputs,
): Value {
  const scope = initialised(p, config[modality]).at(`${modality}_projection`);
  return linear(scope, token(encoded.last_hidden_state, 0), config.projectionDim);
}

/** The log of the inverse temperature, clamped before use without a gradient of the clamp. `p` is the scope `flava`. */
export const logitScale = (p: Params, config: FlavaConfig): Value =>
  p.get("logit_scale", [], constantInit(config.logitScaleInit), { clamp: config.logitScaleRange });

function textMask(config: FlavaConfig, ids: Value, given: Value | undefined): Value | undefined {
  if (config.textPadMask === "none") return undefined;
  if (given || config.textPadMask === "given") return given;
  const [no, yes] = [constant(0, ids.dtype), constant(1, ids.dtype)];
  return where(equal(ids, config.text.padTokenId), no, yes);
}
