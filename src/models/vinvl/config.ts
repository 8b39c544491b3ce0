/** The sizes of an Oscar+ (VinVL, Zhang et al., arXiv:2101.00529): a checked schema whose defaults are the base model. */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const vinvlSchema = z.strictObject({
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  layerNormEps: z.number().positive().default(1e-12),
  initializerRange: z.number().nonnegative().default(0.02),
  text: z
    .strictObject({
      vocabSize: whole.default(30522),
      maxPositions: whole.default(512),
      padTokenId: z.int().nonnegative().default(0),
    })
    .prefault({}),
  regions: z
    .strictObject({
      /** Numbers of a region's feature, without those of its box. */
      features: whole.default(2048),
      /** LayerNorm after the projection of regions: VinVL has it, Oscar does not. */
      layerNorm: z.boolean().default(true),
      layerNormEps: z.number().positive().default(1e-12),
    })
    .prefault({}),
  /** Classes of the state of [CLS]: 3 in Oscar+ (matched, other tags, other caption), 2 in Oscar. */
  classes: z.int().min(2).max(3).default(3),
});

/** All sizes of an Oscar+. */
export interface VinvlConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  readonly text: { readonly vocabSize: number; readonly maxPositions: number; readonly padTokenId: number };
  readonly regions: { readonly features: number; readonly layerNorm: boolean; readonly layerNormEps: number };
  readonly classes: number;
}

/** A configuration in which what is missing takes the base model's value. */
export type VinvlConfigInput = Partly<VinvlConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const vinvlConfigSchema: z.ZodType<VinvlConfig, VinvlConfigInput> = vinvlSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function vinvlConfig(values: VinvlConfigInput = {}): VinvlConfig {
  return configured(vinvlConfigSchema, values);
}

function checkSizes(config: z.infer<typeof vinvlSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  checkHeads(issue, [], config.hiddenSize, config.heads);
  checkIds(issue, config.text, "padTokenId");
}
