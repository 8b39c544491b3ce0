/** The sizes and switches of an ALIGN: a checked schema whose defaults are align-base (Jia et al., arXiv:2102.05918; EfficientNet-B7 and BERT base). */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const positive = z.number().positive();
/** A number of each stage; the defaults are EfficientNet-B0's (arXiv:1905.11946, table 1). */
const each = (...numbers: number[]) => z.array(whole).min(1).default(numbers);

const imageSchema = z.strictObject({
  imageSize: whole.default(289),
  channels: whole.default(3),
  /** What B0's channels and blocks are multiplied by; B7's. */
  widthCoefficient: positive.default(2),
  depthCoefficient: positive.default(3.1),
  /** Channels are multiples of it. */
  depthDivisor: whole.default(8),
  kernelSizes: each(3, 3, 5, 3, 5, 5, 3),
  inChannels: each(32, 16, 24, 40, 80, 112, 192),
  outChannels: each(16, 24, 40, 80, 112, 192, 320),
  strides: each(1, 2, 2, 2, 1, 2, 1),
  repeats: each(1, 2, 2, 3, 3, 4, 1),
  expandRatios: each(1, 6, 6, 6, 6, 6, 6),
  /** Numbers of blocks whose strided convolution is padded alike on all sides. */
  depthwisePadding: z.array(z.int().nonnegative()).default([]),
  /** Channels between the layers of squeeze and excitation, as a share of the block's input. */
  squeezeRatio: positive.max(1).default(0.25),
  batchNormEps: positive.default(1e-3),
  /** What is kept of a running statistic at each step is 1 less this; the norms behind expansions have their own. */
  momentum: z.number().min(0).max(1).default(0.01),
  expansionMomentum: z.number().min(0).max(1).default(0.1),
});

const textSchema = z.strictObject({
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  layerNormEps: positive.default(1e-12),
  vocabSize: whole.default(30_522),
  maxPositions: whole.default(512),
  typeVocabSize: whole.default(2),
  padTokenId: z.int().nonnegative().default(0),
});

const alignSchema = z.strictObject({
  image: imageSchema.prefault({}),
  text: textSchema.prefault({}),
  /** Standard deviation of the weights at the start. */
  initializerRange: positive.default(0.02),
  /** What cosines are divided by at the start, and its bounds. */
  temperatureInit: positive.default(1),
  temperatureRange: z.tuple([positive, positive]).default([0.001, 100]),
  labelSmoothing: z.number().min(0).max(1).default(0.1),
  /** Where the contrastive gradient flows among workers. */
  contrastiveGather: z.enum(["global", "local", "none"]).default("global"),
});

/** The image tower; lists have a number for each stage. */
export interface AlignImageConfig {
  readonly imageSize: number;
  readonly channels: number;
  readonly widthCoefficient: number;
  readonly depthCoefficient: number;
  readonly depthDivisor: number;
  readonly kernelSizes: readonly number[];
  readonly inChannels: readonly number[];
  readonly outChannels: readonly number[];
  readonly strides: readonly number[];
  readonly repeats: readonly number[];
  readonly expandRatios: readonly number[];
  readonly depthwisePadding: readonly number[];
  readonly squeezeRatio: number;
  readonly batchNormEps: number;
  readonly momentum: number;
  readonly expansionMomentum: number;
}

/** The text tower. */
export interface AlignTextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number;
}

/** All sizes and switches of an ALIGN. */
export interface AlignConfig {
  readonly image: AlignImageConfig;
  readonly text: AlignTextConfig;
  readonly initializerRange: number;
  readonly temperatureInit: number;
  readonly temperatureRange: readonly [number, number];
  readonly labelSmoothing: number;
  readonly contrastiveGather: "global" | "local" | "none";
}

/** A configuration in which what is missing takes align-base's value. */
export type AlignConfigInput = Partly<AlignConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const alignConfigSchema: z.ZodType<AlignConfig, AlignConfigInput> = alignSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function alignConfig(values: AlignConfigInput = {}): AlignConfig {
  return configured(alignConfigSchema, values);
}

/** One MBConv block. */
export interface Block {
  readonly kernel: number;
  readonly stride: number;
  readonly expand: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether its input is added to its result. */
  readonly residual: boolean;
  /** Whether a strided convolution is padded alike on all sides; else one more after than before. */
  readonly evenPadding: boolean;
}

/** Channels of B0 as wide as the tower, whole multiples of the divisor (EfficientNet's round_filters). */
export function scaledChannels({ widthCoefficient, depthDivisor: d }: AlignImageConfig, channels: number): number {
  const wanted = channels * widthCoefficient;
  const near = Math.max(d, Math.floor((wanted + d / 2) / d) * d);
  return near < 0.9 * wanted ? near + d : near;
}

/** B0's stem. */
const STEM = 32;

/** Channels behind the stem. */
export const stemWidth = (image: AlignImageConfig): number => scaledChannels(image, STEM);

/** All blocks in turn. */
export function blocksOf(image: AlignImageConfig): Block[] {
  const found: Block[] = [];
  for (const [stage, repeats] of image.repeats.entries()) {
    const outputs = scaledChannels(image, image.outChannels[stage]!);
    for (let i = 0; i < Math.ceil(repeats * image.depthCoefficient); i++)
      found.push({
        kernel: image.kernelSizes[stage]!,
        stride: i === 0 ? image.strides[stage]! : 1,
        expand: image.expandRatios[stage]!,
        inputs: i === 0 ? scaledChannels(image, image.inChannels[stage]!) : outputs,
        outputs,
        residual: i > 0,
        evenPadding: image.depthwisePadding.includes(found.length),
      });
  }
  return found;
}

/** Width of the contrastive space: the channels of the last block. */
export const projectionDim = (image: AlignImageConfig): number => scaledChannels(image, image.outChannels.at(-1)!);

/** Places along a side of the last block's result, of a picture of so many pixels. */
export function gridOf(image: AlignImageConfig, pixels: number = image.imageSize): number {
  const half = (n: number, { kernel, stride, evenPadding }: Block): number =>
    stride === 1 ? n : Math.floor((n + (evenPadding ? kernel - (kernel % 2) : kernel - 1) - kernel) / stride) + 1;
  return blocksOf(image).reduce(half, Math.floor(pixels / 2));
}

const LISTS = ["kernelSizes", "inChannels", "outChannels", "strides", "repeats", "expandRatios"] as const;

function checkSizes(config: z.infer<typeof alignSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  const { image, text, temperatureInit, temperatureRange } = config;
  for (const list of LISTS)
    if (image[list].length !== image.repeats.length)
      issue(["image", list], `expected a number for each of ${image.repeats.length} stages, got ${image[list].length}`);
  checkHeads(issue, ["text"], text.hiddenSize, text.heads);
  checkIds(issue, text, "padTokenId");
  if (temperatureInit < temperatureRange[0] || temperatureInit > temperatureRange[1])
    issue(["temperatureInit"], `expected a number in ${temperatureRange.join("…")}, got ${temperatureInit}`);
}
