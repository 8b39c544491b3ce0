/** One record of values for each thing that FLAVA computes; fields are spelled as Hugging Face spells them. */
import type { Value } from "../../graph/index.ts";
import type { EncoderOutputs } from "../../nn/index.ts";
import type { MaskedPrediction } from "../model.ts";
import type { UnimodalOutputs } from "./model.ts";

/** What image-only steps compute. */
export interface ImagePretraining {
  readonly masked: UnimodalOutputs;
  /** int32 (B, P): the visual words of all patches. */
  readonly words: Value;
  readonly mim: MaskedPrediction;
}

/** What text-only steps compute. */
export interface TextPretraining {
  readonly masked: UnimodalOutputs;
  readonly mlm: MaskedPrediction;
}

/** Both modalities of one pass over pairs. */
export interface PairPass {
  readonly image: UnimodalOutputs;
  readonly text: UnimodalOutputs;
  readonly multimodal: EncoderOutputs | undefined;
}

/** What the contrastive loss compares. */
export interface ContrastiveOutputs {
  /** (B, E), the CLS projections. */
  readonly image_projection: Value;
  readonly text_projection: Value;
  /** (B, E), of length 1. */
  readonly image_embeds: Value;
  readonly text_embeds: Value;
  /** (): log of the inverse temperature, clamped. */
  readonly logit_scale: Value;
}

/** Both unimodal encoders on unmasked pairs, and their places in the contrastive space. */
export interface ContrastivePass extends Pick<PairPass, "image" | "text"> {
  readonly contrastive: Omit<ContrastiveOutputs, "logit_scale">;
}

/** What steps on pairs compute. */
export interface PairPretraining {
  readonly unmasked: PairPass;
  readonly masked: PairPass & { readonly multimodal: EncoderOutputs };
  readonly words: Value;
  readonly contrastive: ContrastiveOutputs;
  readonly itm: {
    /** (B, 2); class 1 is "matched". */
    readonly logits: Value;
    /** int32 (B), 1 for a matched pair. */
    readonly labels: Value | undefined;
  };
  readonly mmm_image: MaskedPrediction;
  readonly mmm_text: MaskedPrediction;
}
