/** The sizes of a UniT (Hu & Singh, arXiv:2102.10772): a checked schema whose defaults are the model of eight data sets (MMF, projects/unit). */
import { z } from "zod";
import { checkHeads, checkIds, configured, issuesOf, whole } from "../sizes.ts";

const eps = z.number().positive();

const imageSchema = z.strictObject({
  imageSize: whole.default(800),
  channels: whole.default(3),
  /** The ResNet: channels behind its stem and bottlenecks of each stage; ResNet-50's. */
  width: whole.default(64),
  stages: z.tuple([whole, whole, whole, whole]).default([3, 4, 6, 3]),
  /** Whether the last stage has dilation instead of a stride: places of 16 pixels instead of 32. */
  dilated: z.boolean().default(true),
  /** Stem and first stage stay as they are, as in DETR; norms always do. */
  frozenStem: z.boolean().default(true),
  hiddenSize: whole.default(256),
  layers: whole.default(6),
  heads: whole.default(8),
  intermediateSize: whole.default(2048),
});

const textSchema = z.strictObject({
  hiddenSize: whole.default(768),
  layers: whole.default(12),
  heads: whole.default(12),
  intermediateSize: whole.default(3072),
  layerNormEps: eps.default(1e-12),
  vocabSize: whole.default(30_522),
  maxPositions: whole.default(512),
  typeVocabSize: whole.default(2),
  padTokenId: z.int().nonnegative().default(0),
});

const decoderSchema = z.strictObject({
  hiddenSize: whole.default(768),
  layers: whole.default(6),
  heads: whole.default(8),
  intermediateSize: whole.default(2048),
});

const taskSchema = z.strictObject({
  /** detection: boxes of a picture. vl: a label of a picture with a text. glue: a label of a text, or of two. */
  kind: z.enum(["detection", "vl", "glue"]),
  /** Its row in the tables of task vectors. */
  index: z.int().min(0).max(255),
  /** Classes of boxes, "none" not among them; labels elsewhere. */
  labels: whole,
  /** Queries of the decoder: for detection the most boxes; elsewhere the first is read. */
  queries: whole.default(25),
  /** vl and glue: which of the text's tokens the decoder sees. */
  tokens: z.enum(["all", "cls"]).default("cls"),
});

const name = z.string().regex(/^[a-z][a-z0-9_]*$/);

const unitSchema = z.strictObject({
  image: imageSchema.prefault({}),
  text: textSchema.prefault({}),
  decoder: decoderSchema.prefault({}),
  /** By name. */
  tasks: z.record(name, taskSchema).default(() => publishedTasks()),
});

/** The eight sets that UniT is trained on, in MMF's names. Of Visual Genome the boxes alone: the head for attributes is not here. */
const publishedTasks = (): Record<string, z.infer<typeof taskSchema>> => ({
  detection_coco: { kind: "detection", index: 0, labels: 91, queries: 100, tokens: "all" },
  detection_visual_genome: { kind: "detection", index: 1, labels: 1601, queries: 100, tokens: "all" },
  vqa2: { kind: "vl", index: 3, labels: 3129, queries: 25, tokens: "all" },
  visual_entailment: { kind: "vl", index: 9, labels: 3, queries: 25, tokens: "cls" },
  glue_qnli: { kind: "glue", index: 5, labels: 2, queries: 25, tokens: "cls" },
  glue_mnli_mismatched: { kind: "glue", index: 6, labels: 3, queries: 25, tokens: "cls" },
  glue_sst2: { kind: "glue", index: 7, labels: 2, queries: 25, tokens: "cls" },
  glue_qqp: { kind: "glue", index: 8, labels: 2, queries: 25, tokens: "cls" },
});

/** What of a model a task uses. */
export interface UnitTask {
  readonly kind: "detection" | "vl" | "glue";
  readonly index: number;
  readonly labels: number;
  readonly queries: number;
  readonly tokens: "all" | "cls";
}

/** The backbone and the encoder of pictures. */
export interface UnitImageConfig {
  readonly imageSize: number;
  readonly channels: number;
  readonly width: number;
  readonly stages: readonly [number, number, number, number];
  readonly dilated: boolean;
  readonly frozenStem: boolean;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
}

/** The encoder of texts, a BERT. */
export interface UnitTextConfig {
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

/** All sizes of a UniT. */
export interface UnitConfig {
  readonly image: UnitImageConfig;
  readonly text: UnitTextConfig;
  readonly decoder: {
    readonly hiddenSize: number;
    readonly layers: number;
    readonly heads: number;
    readonly intermediateSize: number;
  };
  readonly tasks: Readonly<Record<string, UnitTask>>;
}

/** A configuration in which what is missing takes the published value. */
export type UnitConfigInput = {
  readonly [K in "image" | "text" | "decoder"]?:
    | { readonly [F in keyof UnitConfig[K]]?: UnitConfig[K][F] | undefined }
    | undefined;
} & {
  readonly tasks?:
    | Readonly<
        Record<string, Pick<UnitTask, "kind" | "index" | "labels"> & Partial<Pick<UnitTask, "queries" | "tokens">>>
      >
    | undefined;
};

/** The schema, for recipes that hold a model configuration and for its JSON Schema. */
export const unitConfigSchema: z.ZodType<UnitConfig, UnitConfigInput> = unitSchema.superRefine(checkSizes) as never;

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function unitConfig(values: UnitConfigInput = {}): UnitConfig {
  return configured(unitConfigSchema, values);
}

/** Pixels along the side of what one token of a picture stands for. */
export const tokenSide = ({ dilated }: UnitImageConfig): number => (dilated ? 16 : 32);

function checkSizes({ image, text, decoder, tasks }: z.infer<typeof unitSchema>, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  for (const [part, { hiddenSize, heads }] of Object.entries({ image, text, decoder }))
    checkHeads(issue, [part], hiddenSize, heads);
  if (image.hiddenSize % 4)
    issue(["image", "hiddenSize"], "positions are sines and cosines of two axes: expected a multiple of 4");
  if (image.imageSize % tokenSide(image))
    issue(["image", "imageSize"], `${image.imageSize} pixels are not whole squares of ${tokenSide(image)}`);
  checkIds(issue, text, "padTokenId");
  if (Object.keys(tasks).length === 0) issue(["tasks"], "expected at least one task, got none");
}
