/**
 * Student and teacher of DINO (arXiv:2104.14294): FLAVA's image encoder with DINO's head on CLS, over crops of several sizes.
 * Parameters of the student's encoder have FLAVA's names, so that the joint stage takes them over by look-up.
 */
import { concat, type Value } from "../../graph/index.ts";
import { type Interpolation, type Params, token, truncatedNormal } from "../../nn/index.ts";
import { imageEncoder } from "../vit/image-encoder.ts";
import type { ImageConfig } from "../vit/index.ts";
import { type DinoHeadConfig, dinoHead } from "./head.ts";

/** Where the teacher's parameters live: `teacher.` before the student's names. */
export const TEACHER = "teacher";

/** A student's parameter name → its teacher's. */
export const teacherName = (name: string): string => `${TEACHER}.${name}`;

/** An image encoder with DINO's head. */
export interface DinoConfig {
  readonly image: ImageConfig;
  readonly head: DinoHeadConfig;
  /** How positions adapt to crops of another size. */
  readonly interpolate: Interpolation;
}

/** The ViT that DINO trains in FLAVA's image encoder: the same but for LayerNorm's eps, 1e-6. */
export const dinoImageConfig = (image: ImageConfig): ImageConfig => ({ ...image, layerNormEps: 1e-6 });

/**
 * Scores of prototypes for crops, (Σ rows, K), in the order given. Each element of `crops` holds the crops of one size,
 * (views·B, C, S, S), view by view; the encoder runs once for each size. `p` is the root for the student, `teacher` for the
 * teacher.
 */
export function dinoScores(p: Params, config: DinoConfig, crops: readonly Value[]): Value {
  const { image, head, interpolate } = config;
  const tokenInit = truncatedNormal(image.initializerRange);
  const cls = crops.map((pixels) => {
    const encoded = imageEncoder(p.at("flava.image_model"), image, pixels, { interpolate, tokenInit });
    return token(encoded.last_hidden_state, 0);
  });
  return dinoHead(p.at("dino_head"), concat(cls, 0), head);
}
