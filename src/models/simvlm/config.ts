/**
 * The sizes of a SimVLM (Wang et al., arXiv:2108.10904): a checked schema. Neither code nor weights were published: the defaults are base
 * as it is remembered, and what the paper leaves open is a switch.
 */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const imageSchema = z.strictObject({
  imageSize: whole.default(224),
  channels: whole.default(3),
  /** The first three stages of a ResNet, as the paper has it; or squares of pixels and bottlenecks, as public rewritings do. */
  stem: z.enum(["resnet", "patchify"]).default("resnet"),
  /** Channels after the stem's first convolution. */
  stemWidth: whole.default(64),
  /** resnet: bottlenecks of each stage; ResNet-101's. */
  stages: z.tuple([whole, whole, whole]).default([3, 4, 23]),
  /** patchify: pixels along the side of a square. */
  patchSize: whole.default(16),
  /** patchify: channels after each bottleneck, the last those of the states. */
  blocks: z.array(whole).min(1).default([256, 768]),
  /** What is kept of a running statistic at each step is 1 less this. */
  momentum: z.number().min(0).max(1).default(0.1),
});

const textSchema = z.strictObject({
  vocabSize: whole.default(32_000),
  maxPositions: whole.default(256),
  padTokenId: z.int().nonnegative().default(0),
});

const simvlmSchema = z.strictObject({
  image: imageSchema.prefault({}),
  text: textSchema.prefault({}),
  hiddenSize: whole.default(768),
  encoderLayers: whole.default(12),
  decoderLayers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  layerNormEps: z.number().positive().default(1e-6),
  /** Standard deviation of the weights at the start. */
  initializerRange: z.number().positive().default(0.02),
});

/** What makes tokens of pixels. */
export interface SimvlmImageConfig {
  readonly imageSize: number;
  readonly channels: number;
  readonly stem: "resnet" | "patchify";
  readonly stemWidth: number;
  readonly stages: readonly [number, number, number];
  readonly patchSize: number;
  readonly blocks: readonly number[];
  readonly momentum: number;
}

/** All sizes and switches of a SimVLM. */
export interface SimvlmConfig {
  readonly image: SimvlmImageConfig;
  readonly text: { readonly vocabSize: number; readonly maxPositions: number; readonly padTokenId: number };
  readonly hiddenSize: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
}

/** A configuration in which what is missing takes base's value. */
export type SimvlmConfigInput = Partly<SimvlmConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const simvlmConfigSchema: z.ZodType<SimvlmConfig, SimvlmConfigInput> = simvlmSchema.superRefine(
  checkSizes,
) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function simvlmConfig(values: SimvlmConfigInput = {}): SimvlmConfig {
  return configured(simvlmConfigSchema, values);
}

/** Pixels along the side of what one token stands for. */
export const tokenSide = ({ stem, patchSize }: SimvlmImageConfig): number => (stem === "resnet" ? 16 : patchSize);

function checkSizes(config: z.infer<typeof simvlmSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  const { image, text, hiddenSize, heads } = config;
  checkHeads(issue, [], hiddenSize, heads);
  if (image.imageSize % tokenSide(image))
    issue(["image", "imageSize"], `${image.imageSize} pixels are not whole squares of ${tokenSide(image)}`);
  if (image.stem === "patchify") {
    if (image.blocks.some((channels) => channels % 4))
      issue(["image", "blocks"], "the middle of a bottleneck is a quarter of it: expected multiples of 4");
    if (image.blocks.at(-1) !== hiddenSize)
      issue(["image", "blocks"], `expected the last to be hiddenSize ${hiddenSize}, got ${image.blocks.at(-1)}`);
  }
  checkIds(issue, text, "padTokenId");
}
