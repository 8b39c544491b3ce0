/**
 * The sizes of the five BERTs on pictures and text as configurations of one stack of bimodal sub-layers (Bugliarello et al., "Multimodal
 * Pretraining Unmasked", arXiv:2011.15124): a checked schema whose defaults are the controlled study's.
 */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { type BimodalControl, type BimodalSublayer, sublayersOf } from "../../nn/index.ts";

/** The five, by how they embed text and regions. */
export const EMBEDDINGS: readonly ["vilbert", "lxmert", "vl-bert", "visualbert", "uniter"] = [
  "vilbert",
  "lxmert",
  "vl-bert",
  "visualbert",
  "uniter",
];

const whole = z.int().positive();
const places = z.array(z.int().nonnegative());

const voltaSchema = z.strictObject({
  embeddings: z.enum(EMBEDDINGS).default("uniter"),
  hiddenSize: whole.default(768),
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
      /** Numbers of a region's feature. */
      features: whole.default(2048),
      /** Classes that a detector tells apart, with "none". */
      classes: whole.default(1601),
      /** vl-bert: sines, and cosines, of each of the four numbers of a box. */
      waves: whole.default(256),
    })
    .prefault({}),
  /** Width in which both modalities meet for matching. */
  poolerSize: whole.default(1024),
  /** Which sub-layers there are, by their numbers. */
  control: z
    .strictObject({
      textText: places,
      visionVision: places,
      cross: places,
      textFeedForward: places,
      visionFeedForward: places,
      shared: places,
    })
    .prefault(singleStream(12)),
});

/** All sizes of one of the five. */
export interface VoltaConfig {
  readonly embeddings: (typeof EMBEDDINGS)[number];
  readonly hiddenSize: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  readonly text: { readonly vocabSize: number; readonly maxPositions: number; readonly padTokenId: number };
  readonly regions: { readonly features: number; readonly classes: number; readonly waves: number };
  readonly poolerSize: number;
  readonly control: BimodalControl;
}

/** A configuration in which what is missing takes the controlled study's value. */
export type VoltaConfigInput = {
  readonly [K in keyof VoltaConfig]?:
    | (VoltaConfig[K] extends object ? Partial<VoltaConfig[K]> : VoltaConfig[K])
    | undefined;
};

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const voltaConfigSchema: z.ZodType<VoltaConfig, VoltaConfigInput> = voltaSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function voltaConfig(values: VoltaConfigInput = {}): VoltaConfig {
  const parsed = voltaConfigSchema.safeParse(values);
  if (!parsed.success) throw new ConfigError(`model configuration:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The sub-layers of a model. Throws ShapeError where its lists contradict each other. */
export const voltaSublayers = ({ control, heads, intermediateSize: width }: VoltaConfig): BimodalSublayer[] =>
  sublayersOf(control, { heads, text: width, vision: width });

/** n BERT layers on both modalities with one set of weights: VL-BERT, VisualBERT, UNITER. */
export function singleStream(n: number): { -readonly [K in keyof BimodalControl]: number[] } {
  const [even, odd] = [0, 1].map((first) => Array.from({ length: n }, (_, i) => 2 * i + first)) as [number[], number[]];
  return {
    textText: even,
    visionVision: even,
    cross: even,
    textFeedForward: odd,
    visionFeedForward: odd,
    shared: [...even, ...odd].sort((a, b) => a - b),
  };
}

function checkSizes(config: z.infer<typeof voltaSchema>, context: z.RefinementCtx): void {
  const issue = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
  if (config.hiddenSize % config.heads)
    issue(["heads"], `width ${config.hiddenSize} does not divide among ${config.heads} heads`);
  if (config.text.padTokenId >= config.text.vocabSize)
    issue(["text", "padTokenId"], `expected an id below ${config.text.vocabSize}, got ${config.text.padTokenId}`);
  try {
    voltaSublayers(config as VoltaConfig);
  } catch (error) {
    issue(["control"], (error as Error).message);
  }
}
