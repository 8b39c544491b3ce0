/** Sizes of a vision transformer with a mask token; defaults: ViT-B/16 as FLAVA has it (arXiv:2112.04482 supp. Tab A.1). */
import { z } from "zod";
import type { TransformerConfig } from "../../nn/index.ts";

/** A vision transformer (Dosovitskiy et al. 2021). */
export interface ImageConfig extends TransformerConfig {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly maskToken: boolean;
  readonly tokenInitializerRange: number;
  readonly vocabSize: number;
}

const whole = z.int().positive();

/** What all transformers share. */
export const transformerFields: TransformerFields = {
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  layerNormEps: z.number().positive().default(1e-12),
  qkvBias: z.boolean().default(true),
  initializerRange: z.number().nonnegative().default(0.02),
};

interface TransformerFields {
  hiddenSize: z.ZodDefault<z.ZodInt>;
  layers: z.ZodDefault<z.ZodInt>;
  heads: z.ZodDefault<z.ZodInt>;
  intermediateSize: z.ZodDefault<z.ZodInt>;
  layerNormEps: z.ZodDefault<z.ZodNumber>;
  qkvBias: z.ZodDefault<z.ZodBoolean>;
  initializerRange: z.ZodDefault<z.ZodNumber>;
}

/**
 * Standard deviation of the first CLS, mask token and positions. 0 in both public codebases: then LayerNorm multiplies the
 * gradients of CLS by up to 1/√eps until it has grown, which a long warm-up outlasts and a short run does not.
 */
export const tokenInitializerRange: z.ZodDefault<z.ZodNumber> = z.number().nonnegative().default(0);

/** Any field may be left out: the schema fills in its default. */
type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

export const imageSchema: z.ZodType<ImageConfig, Given<ImageConfig>> = z.strictObject({
  ...transformerFields,
  imageSize: whole.default(224),
  patchSize: whole.default(16),
  channels: whole.default(3),
  /** Whether a learned vector stands for masked patches. */
  maskToken: z.boolean().default(true),
  tokenInitializerRange,
  /** Number of visual words that the heads predict; the codebook's vocabulary. */
  vocabSize: whole.default(8192),
});

/** Side of the grid of patches. */
export const gridSize = (image: Pick<ImageConfig, "imageSize" | "patchSize">): number =>
  image.imageSize / image.patchSize;
