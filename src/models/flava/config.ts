/** The sizes and switches of a FLAVA model: a checked schema whose defaults are the published base model (arXiv:2112.04482). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { Gates, TransformerConfig } from "../../nn/index.ts";
import { type DvaeConfig, dvaeConfigSchema, wordSize } from "../dvae/config.ts";
import { gridSize, type ImageConfig, imageSchema, tokenInitializerRange, transformerFields } from "../vit/config.ts";

const whole = z.int().positive();

const textSchema = z.strictObject({
  ...transformerFields,
  vocabSize: whole.default(30522),
  maxPositions: whole.default(512),
  typeVocabSize: whole.default(2),
  /**
   * Standard deviation of the first word, position and type embeddings; null: `initializerRange`, as published. LayerNorm follows,
   * so only their ratio to the learning rate counts: smaller ones learn faster.
   */
  embeddingInitializerRange: z.number().nonnegative().nullable().default(null),
  padTokenId: z.int().nonnegative().default(0),
});

/** The kinds of layers of "Multimodal Pretraining Unmasked" (arXiv:2011.15124); "gated" has the gates of the configuration. */
export const BIMODAL_LAYERS: readonly ["single-stream", "intra-modal", "inter-modal", "gated"] = [
  "single-stream",
  "intra-modal",
  "inter-modal",
  "gated",
];

const gate = z.boolean().default(true);

const multimodalSchema = z.strictObject({
  ...transformerFields,
  layers: whole.default(6),
  /** The encoder's own CLS_M before the image tokens; the ITM head reads it. */
  clsToken: z.boolean().default(true),
  tokenInitializerRange,
  /**
   * FLAVA's own layers, or those of a compared kind: one for all layers, or a list with one for each. Only the single stream shares its
   * weights between the modalities.
   */
  layer: z.union([z.enum(["flava", ...BIMODAL_LAYERS]), z.array(z.enum(BIMODAL_LAYERS)).min(1)]).default("flava"),
  /** Of gated layers: who reads whom. `textVision` is open where text asks and vision answers. */
  gates: z.strictObject({ textText: gate, textVision: gate, visionText: gate, visionVision: gate }).prefault({}),
});

const flavaSchema = z.strictObject({
  image: imageSchema.prefault({}),
  text: textSchema.prefault({}),
  multimodal: multimodalSchema.prefault({}),
  /** The dVAE that gives the targets of masked patches; null where they are fed as `mim_labels`. */
  codebook: dvaeConfigSchema.nullable().prefault({}),
  /** Width of the contrastive space. 768 in the released checkpoint; the paper's table says 512. */
  projectionDim: whole.default(768),
  logitScaleInit: z.number().default(2.6592),
  /** Bounds of the log of the inverse temperature; 4.6052 ≈ ln 100 as in both public codebases. */
  logitScaleRange: z.tuple([z.number(), z.number()]).default([0, 4.6052]),
  /** LayerNorm eps of the masked-prediction heads; null: the encoder's (Hugging Face). torchmultimodal: 1e-5. */
  headLayerNormEps: z.number().positive().nullable().default(null),
  /** Which text keys are hidden: by the fed `attention_mask`, by id ≠ pad (torchmultimodal), or none. */
  textPadMask: z.enum(["given", "ids", "none"]).default("given"),
  /** Whether the multimodal encoder hides padded text too (Hugging Face since March 2024) or attends it (before; torchmultimodal). */
  multimodalPadMask: z.boolean().default(true),
  /** Where the contrastive gradient flows among workers: every copy, the own slot, or the own rows only (§3.1). */
  contrastiveGather: z.enum(["global", "local", "none"]).default("global"),
  /** Whether the unmasked pass of a pair stops before the multimodal encoder; no loss reads what that would add. */
  skipUnmaskedMultimodalEncoder: z.boolean().default(true),
});

/** The text encoder. */
export interface TextConfig extends TransformerConfig {
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly embeddingInitializerRange: number | null;
  readonly padTokenId: number;
}

/** A kind of layer on two modalities. */
export type BimodalLayer = (typeof BIMODAL_LAYERS)[number];

/** The multimodal encoder. */
export interface MultimodalConfig extends TransformerConfig {
  readonly clsToken: boolean;
  readonly tokenInitializerRange: number;
  readonly layer: "flava" | BimodalLayer | readonly BimodalLayer[];
  readonly gates: Gates;
}

/** Where the gradient of the contrastive loss flows when several workers gather their embeddings. */
export type ContrastiveGather = "global" | "local" | "none";

/** All sizes and switches of a FLAVA. */
export interface FlavaConfig {
  readonly image: ImageConfig;
  readonly text: TextConfig;
  readonly multimodal: MultimodalConfig;
  readonly codebook: DvaeConfig | null;
  readonly projectionDim: number;
  readonly logitScaleInit: number;
  readonly logitScaleRange: readonly [number, number];
  readonly headLayerNormEps: number | null;
  readonly textPadMask: "given" | "ids" | "none";
  readonly multimodalPadMask: boolean;
  readonly contrastiveGather: ContrastiveGather;
  readonly skipUnmaskedMultimodalEncoder: boolean;
}

/** All of `T` may be left out, at every depth: the schema fills in the base model's value. */
export type Partially<T> = {
  readonly [K in keyof T]?:
    | (T[K] extends object ? Partially<T[K]> : T[K] extends object | null ? Partially<T[K]> | null : T[K])
    | undefined;
};

/** A configuration in which what is missing takes the base model's value. */
export type FlavaConfigInput = Partially<FlavaConfig>;

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const flavaConfigSchema: z.ZodType<FlavaConfig, FlavaConfigInput> = flavaSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function flavaConfig(values: FlavaConfigInput = {}): FlavaConfig {
  const parsed = flavaConfigSchema.safeParse(values);
  if (!parsed.success) throw new ConfigError(`model configuration:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Side in pixels of the codebook's image, so that one visual word stands for one patch. */
export const codebookImageSize = (config: FlavaConfig): number =>
  gridSize(config.image) * wordSize(config.codebook ?? { groups: 4 });

function checkSizes(config: z.infer<typeof flavaSchema>, context: z.RefinementCtx): void {
  const issue = (path: string[], message: string): void => context.addIssue({ code: "custom", path, message });
  for (const part of ["image", "text", "multimodal"] as const)
    if (config[part].hiddenSize % config[part].heads)
      issue([part, "heads"], `width ${config[part].hiddenSize} does not divide among ${config[part].heads} heads`);
  if (config.image.imageSize % config.image.patchSize)
    issue(
      ["image", "patchSize"],
      `${config.image.imageSize} pixels are not whole patches of ${config.image.patchSize}`,
    );
  if (config.codebook && config.codebook.vocabSize !== config.image.vocabSize)
    issue(
      ["codebook", "vocabSize"],
      `expected image.vocabSize ${config.image.vocabSize}, got ${config.codebook.vocabSize}`,
    );
  checkLayers(config.multimodal, (path, message) => issue(["multimodal", path], message));
  if (config.text.padTokenId >= config.text.vocabSize)
    issue(["text", "padTokenId"], `expected an id below ${config.text.vocabSize}, got ${config.text.padTokenId}`);
}

function checkLayers(
  { layer, layers, gates, qkvBias }: z.infer<typeof multimodalSchema>,
  issue: (path: string, message: string) => void,
): void {
  if (layer === "flava") return;
  if (typeof layer !== "string" && layer.length !== layers)
    issue("layer", `expected one kind for all, or ${layers} kinds (layers), got ${layer.length}`);
  if (!qkvBias) issue("qkvBias", `layers of kind ${[layer].flat().join(", ")} have biases: expected true`);
  if ([layer].flat().includes("gated") && !Object.values(gates).some(Boolean))
    issue("gates", "all are closed: no layer would read anything");
}
