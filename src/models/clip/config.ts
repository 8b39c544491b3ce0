/** The sizes and switches of a CLIP: a checked schema whose defaults are ViT-B/16 (Radford et al., arXiv:2103.00020). */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, type Partly, whole } from "../sizes.ts";

const eps = z.number().positive().default(1e-5);

const imageSchema = z.strictObject({
  /** A vision transformer, or the ResNet of the paper's §2.4 with attention instead of pooling at its end. */
  tower: z.enum(["vit", "resnet"]).default("vit"),
  imageSize: whole.default(224),
  channels: whole.default(3),
  /** vit: width of its states. */
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  /** Heads of every layer; of a ResNet, those of the attention at its end. */
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  patchSize: whole.default(16),
  layerNormEps: eps,
  /** resnet: blocks of each stage. */
  blocks: z.tuple([whole, whole, whole, whole]).default([3, 4, 6, 3]),
  /** resnet: channels after the stem. The features have 32 times as many. */
  width: whole.default(64),
  /** resnet: what is kept of a running statistic at each step is 1 less this. */
  momentum: z.number().min(0).max(1).default(0.1),
});

const textSchema = z.strictObject({
  hiddenSize: whole.default(512),
  layers: whole.default(12),
  heads: whole.default(8),
  intermediateSize: whole.default(2048),
  layerNormEps: eps,
  vocabSize: whole.default(49_408),
  maxPositions: whole.default(77),
  padTokenId: z.int().nonnegative().default(0),
  /** The token whose state stands for the text, where it is first; null: the largest id of each text, as OpenAI's code takes it. */
  endTokenId: z.int().nonnegative().nullable().default(null),
});

const clipSchema = z.strictObject({
  image: imageSchema.prefault({}),
  text: textSchema.prefault({}),
  /** Width of the contrastive space. */
  projectionDim: whole.default(512),
  /** Between the layers of each MLP. open_clip's models without "quickgelu" in their name have gelu. */
  activation: z.enum(["quickGelu", "gelu"]).default("quickGelu"),
  /** That of the text tower where it is another. */
  textActivation: z.enum(["quickGelu", "gelu"]).optional(),
  logitScaleInit: z.number().default(2.6592),
  /** Bounds of the log of the inverse temperature; open_clip keeps it in [0, ln 100]. */
  logitScaleRange: z.tuple([z.number(), z.number()]).default([0, 4.6052]),
  /** Where the contrastive gradient flows among workers: every copy, or the own slot only (open_clip without gather_with_grad). */
  contrastiveGather: z.enum(["global", "local", "none"]).default("global"),
});

/** The image tower. */
export interface ClipImageConfig {
  readonly tower: "vit" | "resnet";
  readonly imageSize: number;
  readonly channels: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly patchSize: number;
  readonly layerNormEps: number;
  readonly blocks: readonly [number, number, number, number];
  readonly width: number;
  readonly momentum: number;
}

/** The text tower. */
export interface ClipTextConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly endTokenId: number | null;
}

/** All sizes and switches of a CLIP. */
export interface ClipConfig {
  readonly image: ClipImageConfig;
  readonly text: ClipTextConfig;
  readonly projectionDim: number;
  readonly activation: "quickGelu" | "gelu";
  readonly textActivation?: "quickGelu" | "gelu" | undefined;
  readonly logitScaleInit: number;
  readonly logitScaleRange: readonly [number, number];
  readonly contrastiveGather: "global" | "local" | "none";
}

/** A configuration in which what is missing takes ViT-B/16's value. */
export type ClipConfigInput = Partly<ClipConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const clipConfigSchema: z.ZodType<ClipConfig, ClipConfigInput> = clipSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function clipConfig(values: ClipConfigInput = {}): ClipConfig {
  return configured(clipConfigSchema, values);
}

/** Pixels along the side of what one token of the image tower stands for. */
export const tokenSide = ({ tower, patchSize }: ClipImageConfig): number => (tower === "vit" ? patchSize : 32);

/** Width of the image tower's states. */
export const imageWidth = ({ tower, hiddenSize, width }: ClipImageConfig): number =>
  tower === "vit" ? hiddenSize : 32 * width;

function checkSizes(config: z.infer<typeof clipSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  const { image, text } = config;
  checkHeads(issue, ["image"], imageWidth(image), image.heads);
  checkHeads(issue, ["text"], text.hiddenSize, text.heads);
  if (image.imageSize % tokenSide(image))
    issue(["image", "imageSize"], `${image.imageSize} pixels are not whole squares of ${tokenSide(image)}`);
  checkIds(issue, text, "padTokenId", "endTokenId");
}
