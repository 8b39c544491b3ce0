/** The sizes of an ALBEF: a checked schema whose defaults are the published model's (Li et al., arXiv:2107.07651 §3.1). */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const schema = z.strictObject({
  image: z
    .strictObject({
      imageSize: whole.default(256),
      patchSize: whole.default(16),
      channels: whole.default(3),
      hiddenSize: whole.default(768),
      layers: whole.default(12),
      heads: whole.default(12),
      intermediateSize: whole.default(3072),
      layerNormEps: z.number().positive().default(1e-6),
      /** Standard deviation of the weights at the start. */
      initializerRange: z.number().nonnegative().default(0.02),
    })
    .prefault({}),
  text: z
    .strictObject({
      hiddenSize: whole.default(768),
      /** Layers that read the text alone, and after them layers that read the picture too. */
      layers: whole.default(6),
      fusionLayers: whole.default(6),
      heads: whole.default(12),
      intermediateSize: whole.default(3072),
      vocabSize: whole.default(30_522),
      maxPositions: whole.default(512),
      typeVocabSize: whole.default(2),
      padTokenId: z.int().nonnegative().default(0),
      layerNormEps: z.number().positive().default(1e-12),
      /** Standard deviation of the weights at the start. */
      initializerRange: z.number().nonnegative().default(0.02),
    })
    .prefault({}),
  /** Width of the contrastive space. */
  projectionDim: whole.default(256),
  temperatureInit: z.number().positive().default(0.07),
  /** Bounds of the temperature. */
  temperatureRange: z.tuple([z.number().positive(), z.number().positive()]).default([0.001, 0.5]),
});

/** The image encoder, a ViT with timm's names. */
export interface AlbefImageConfig {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
}

/** The text encoder and the multimodal one, the two halves of a BERT. */
export interface AlbefTextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly fusionLayers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
}

/** All sizes of an ALBEF. */
export interface AlbefConfig {
  readonly image: AlbefImageConfig;
  readonly text: AlbefTextConfig;
  readonly projectionDim: number;
  readonly temperatureInit: number;
  readonly temperatureRange: readonly [number, number];
}

/** A configuration in which what is missing takes the published model's value. */
export type AlbefConfigInput = Partly<AlbefConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const albefConfigSchema: z.ZodType<AlbefConfig, AlbefConfigInput> = schema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function albefConfig(values: AlbefConfigInput = {}): AlbefConfig {
  return configured(albefConfigSchema, values);
}

/** Patches along a side. */
export const albefGrid = ({ imageSize, patchSize }: Pick<AlbefImageConfig, "imageSize" | "patchSize">): number =>
  imageSize / patchSize;

function checkSizes({ image, text, temperatureRange }: z.infer<typeof schema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  for (const [name, { hiddenSize, heads }] of Object.entries({ image, text }))
    checkHeads(issue, [name], hiddenSize, heads);
  if (image.imageSize % image.patchSize)
    issue(["image", "imageSize"], `${image.imageSize} pixels are not whole patches of ${image.patchSize}`);
  checkIds(issue, text, "padTokenId");
  if (temperatureRange[0] > temperatureRange[1]) issue(["temperatureRange"], "expected the smaller bound first");
}
