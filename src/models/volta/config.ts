/**
 * The sizes of the five BERTs on pictures and text as configurations of one stack of bimodal sub-layers (Bugliarello et al., "Multimodal
 * Pretraining Unmasked", arXiv:2011.15124): a checked schema whose defaults are the controlled study's.
 */
import { z } from "zod";
import { type BimodalControl, type BimodalSublayer, sublayersOf } from "../../nn/index.ts";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

/** The five, by how they embed text and regions. */
export const EMBEDDINGS: readonly ["vilbert", "lxmert", "vl-bert", "visualbert", "uniter"] = [
  "vilbert",
  "lxmert",
  "vl-bert",
  "visualbert",
  "uniter",
];

/** Whose heads stand on the stack: the controlled study's, or LXMERT's or VisualBERT's own, as Hugging Face has them. */
export const VOLTA_HEADS: readonly ["study", "lxmert", "visualbert"] = ["study", "lxmert", "visualbert"];

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
      /** Classes that a detector tells apart, with "none"; of LXMERT's own head those of objects. */
      classes: whole.default(1601),
      /** lxmert: attributes that its own head tells apart. */
      attributes: whole.default(400),
      /** Numbers of a box: its corners, and its area where there are 5. */
      box: z.union([z.literal(4), z.literal(5)]).default(5),
      /** Whether the mean of all regions comes first. */
      mean: z.boolean().default(true),
      /** vl-bert: sines, and cosines, of each of the four numbers of a box. */
      waves: whole.default(256),
    })
    .prefault({}),
  pretrainingHeads: z.enum(VOLTA_HEADS).default("study"),
  /** study: width in which both modalities meet for matching. */
  poolerSize: whole.default(1024),
  /** lxmert: answers that its own head tells apart. */
  answers: whole.default(9500),
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
  readonly regions: {
    readonly features: number;
    readonly classes: number;
    readonly attributes: number;
    readonly box: 4 | 5;
    readonly mean: boolean;
    readonly waves: number;
  };
  readonly pretrainingHeads: (typeof VOLTA_HEADS)[number];
  readonly poolerSize: number;
  readonly answers: number;
  readonly control: BimodalControl;
}

/** A configuration in which what is missing takes the controlled study's value. */
export type VoltaConfigInput = Partly<VoltaConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const voltaConfigSchema: z.ZodType<VoltaConfig, VoltaConfigInput> = voltaSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function voltaConfig(values: VoltaConfigInput = {}): VoltaConfig {
  return configured(voltaConfigSchema, values);
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

/** LXMERT's layers: of text alone, of regions alone, and those that cross (arXiv:1908.07490 §2.2). */
export function lxmertStream(text: number, vision: number, cross: number): BimodalControl {
  const from = (first: number, count: number, step: number): number[] =>
    Array.from({ length: count }, (_, i) => first + i * step);
  const start = 2 * Math.max(text, vision);
  const crossing = from(start, cross, 3);
  return {
    textText: [...from(0, text, 2), ...from(start + 1, cross, 3)],
    visionVision: [...from(0, vision, 2), ...from(start + 1, cross, 3)],
    cross: crossing,
    textFeedForward: [...from(1, text, 2), ...from(start + 2, cross, 3)],
    visionFeedForward: [...from(1, vision, 2), ...from(start + 2, cross, 3)],
    shared: crossing,
  };
}

function checkSizes(config: z.infer<typeof voltaSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  checkHeads(issue, [], config.hiddenSize, config.heads);
  checkIds(issue, config.text, "padTokenId");
  if (config.pretrainingHeads !== "study" && config.pretrainingHeads !== config.embeddings)
    issue(["pretrainingHeads"], `expected study or ${config.embeddings}, got ${config.pretrainingHeads}`);
  try {
    voltaSublayers(config as VoltaConfig);
  } catch (error) {
    issue(["control"], (error as Error).message);
  }
}
