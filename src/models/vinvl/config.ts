/** The sizes of an Oscar+ (VinVL, Zhang et al., arXiv:2101.00529): a checked schema whose defaults are the base model. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";

const whole = z.int().positive();

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
  readonly regions: { readonly features: number; readonly layerNorm: boolean };
  readonly classes: number;
}

/** A configuration in which what is missing takes the base model's value. */
export type VinvlConfigInput = {
  readonly [K in keyof VinvlConfig]?:
    | (VinvlConfig[K] extends object ? Partial<VinvlConfig[K]> : VinvlConfig[K])
    | undefined;
};

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const vinvlConfigSchema: z.ZodType<VinvlConfig, VinvlConfigInput> = vinvlSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function vinvlConfig(values: VinvlConfigInput = {}): VinvlConfig {
  const parsed = vinvlConfigSchema.safeParse(values);
  if (!parsed.success) throw new ConfigError(`model configuration:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function checkSizes(config: z.infer<typeof vinvlSchema>, context: z.RefinementCtx): void {
  const issue = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
  if (config.hiddenSize % config.heads)
    issue(["heads"], `width ${config.hiddenSize} does not divide among ${config.heads} heads`);
  if (config.text.padTokenId >= config.text.vocabSize)
    issue(["text", "padTokenId"], `expected an id below ${config.text.vocabSize}, got ${config.text.padTokenId}`);
}
