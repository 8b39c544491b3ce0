/** The sizes and switches of a ViLT: a checked schema whose defaults are ViLT-B/32 (Kim et al., arXiv:2102.03334). */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const schema = z.strictObject({
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  /** Of the transformer's norms: 1e-6 in the authors' code, 1e-12 in Hugging Face's. */
  layerNormEps: z.number().positive().default(1e-6),
  qkvBias: z.boolean().default(true),
  /** Standard deviation of the weights at the start. */
  initializerRange: z.number().nonnegative().default(0.02),
  image: z
    .strictObject({
      /** Side of the square that has one position a patch. */
      imageSize: whole.default(384),
      patchSize: whole.default(32),
      channels: whole.default(3),
    })
    .prefault({}),
  text: z
    .strictObject({
      vocabSize: whole.default(30_522),
      maxPositions: whole.default(40),
      typeVocabSize: whole.default(2),
      padTokenId: z.int().nonnegative().default(0),
      layerNormEps: z.number().positive().default(1e-12),
    })
    .prefault({}),
  /** Rows of the table that tells texts and pictures apart: text, picture, and a second picture where there are 3. */
  modalities: whole.min(2).default(2),
  /** Whether words are predicted with the matrix of word embeddings. Not in the authors' code. */
  tiedDecoder: z.boolean().default(false),
  /** "itm": two classes, from pretraining. "rank": one score, from fine-tuning on retrieval. */
  matchingHead: z.enum(["itm", "rank"]).default("itm"),
});

/** The pictures that it takes. */
export interface ViltImageConfig {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
}

/** The texts that it takes. */
export interface ViltTextConfig {
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly layerNormEps: number;
}

/** All sizes and switches of a ViLT. */
export interface ViltConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly qkvBias: boolean;
  readonly initializerRange: number;
  readonly image: ViltImageConfig;
  readonly text: ViltTextConfig;
  readonly modalities: number;
  readonly tiedDecoder: boolean;
  readonly matchingHead: "itm" | "rank";
}

/** A configuration in which what is missing takes ViLT-B/32's value. */
export type ViltConfigInput = Partly<ViltConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const viltConfigSchema: z.ZodType<ViltConfig, ViltConfigInput> = schema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function viltConfig(values: ViltConfigInput = {}): ViltConfig {
  return configured(viltConfigSchema, values);
}

/** Patches along a side of the square that the positions are for. */
export const viltGrid = ({ imageSize, patchSize }: ViltImageConfig): number => imageSize / patchSize;

function checkSizes({ hiddenSize, heads, image, text }: z.infer<typeof schema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  checkHeads(issue, [], hiddenSize, heads);
  if (image.imageSize % image.patchSize)
    issue(["image", "imageSize"], `${image.imageSize} pixels are not whole patches of ${image.patchSize}`);
  checkIds(issue, text, "padTokenId");
}
