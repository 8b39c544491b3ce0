/** What a task file says (tasks/*.json), and the figures of the paper beside it. */
import { z } from "zod";
import { nearest } from "../tensor/index.ts";

/** The three parts of the paper's table. */
export const GROUPS: readonly ["nlp", "vision", "multimodal"] = ["nlp", "vision", "multimodal"];

/** A part of the paper's table. */
export type Group = (typeof GROUPS)[number];

/** How a task is measured: §7.3 to §7.6 of the reference. */
export const PROTOCOLS = [
  "linear",
  "linear-text",
  "finetune-text",
  "finetune-image",
  "finetune-pair",
  "retrieval",
  "matching",
  "ranking",
] as const;

/** How a task is measured. */
export type Protocol = (typeof PROTOCOLS)[number];

/** Ways in which data sets lie on disk. */
export const LAYOUTS = [
  "glue-tsv",
  "glue-parquet",
  "class-folders",
  "path-lists",
  "labelled-lists",
  "cifar-binary",
  "stl-binary",
  "idx",
  "mat-lists",
  "gtsrb",
  "kitti",
  "pcam",
  "clevr",
  "fer-csv",
  "vqa-json",
  "snli-ve",
  "hateful-memes",
  "karpathy-json",
  "webdataset",
  "parquet",
  "starter",
] as const;

/** A way in which a data set lies on disk. */
export type Layout = (typeof LAYOUTS)[number];

/** A printed figure that is wrong, what it is read as, and why. */
export interface Misprint {
  readonly printed: number;
  readonly read: number;
  readonly why: string;
}

/** A row of the table. */
export interface Figure {
  /** accuracy, mean_per_class_recall, matthews, pearson, auroc, vqa_score, …_retrieval_recall@k; "mean" of those in `of`. */
  readonly metric: string;
  readonly of?: readonly string[] | undefined;
  /** Title of its row; that of the task unless given. */
  readonly label?: string | undefined;
  /** By column of the paper's table, in per cent. */
  readonly published: Readonly<Record<string, number | Misprint>>;
}

/** Which samples are for what. */
export const SPLITS = ["train", "validation", "test"] as const;

/** Which samples are for what. */
export type SplitName = (typeof SPLITS)[number];

/** Splits that are drawn, for data that have none of their own. */
export interface Drawn {
  /** From each class, or from all samples together. */
  readonly of: "class" | "all";
  /** By name, or in an order drawn by a seed. */
  readonly order: "names" | "seed";
  /** In this order: a number of samples, a share below 1, or what is left. */
  readonly parts: { readonly [S in SplitName]?: number | "rest" | undefined };
}

/** What is done to the pictures of a test. */
export interface Alteration {
  /** They are cut into a grid of so many cells along a side, whose order is drawn by the picture's key. */
  readonly shuffle?: number | undefined;
  /** They are moved right and down by this share of their sides; the border that comes in repeats what was at the edge. */
  readonly shift?: number | undefined;
}

/** Where a task's data lie, and what is in them. */
export interface TaskData {
  /** Below the data root. */
  readonly folder: string;
  /** Those in which it is published, the canonical one first. */
  readonly layouts: readonly Layout[];
  /** Columns or keys with the texts. */
  readonly fields?: readonly string[] | undefined;
  readonly classes?: readonly string[] | undefined;
  /** What prompts call the classes, in the order of their numbers; "countries": by the codes of ISO 3166. */
  readonly words?: readonly string[] | "countries" | undefined;
  readonly classCount?: number | undefined;
  /** Of a regression: least and greatest target. */
  readonly range?: readonly [number, number] | undefined;
  /** Published numbers of samples. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** The data set's own splits that make up each. */
  readonly splits: { readonly [S in SplitName]?: readonly string[] | undefined };
  readonly drawn?: Drawn | undefined;
  /** Names of classes by what the data call them, where that differs. */
  readonly renamed?: Readonly<Record<string, string>> | undefined;
  readonly imageSize?: number | undefined;
  /** Test pictures are altered so before the model sees them. */
  readonly altered?: Alteration | undefined;
  /** Where the data can be got. */
  readonly source: string;
}

/** Settings of a fine-tuning. */
export interface TuningSettings {
  readonly lr: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly schedule: "linear" | "cosine" | "constant";
  readonly dropout?: number | undefined;
  readonly attentionDropout?: number | undefined;
  /** Largest gradient norm; null: no clipping. */
  readonly clipNorm?: number | null | undefined;
  /** Width of the head's hidden layer; none: one linear layer. */
  readonly headHidden?: number | undefined;
}

/** A task as its file says it. */
export interface Task {
  readonly name: string;
  readonly title: string;
  /** Place in the table. */
  readonly order: number;
  readonly group: Group;
  readonly protocol: Protocol;
  readonly data: TaskData;
  readonly settings?: TuningSettings | undefined;
  /** For zero-shot classification; {} stands for the class. */
  readonly templates?: readonly string[] | undefined;
  readonly figures: readonly Figure[];
}

const text = z.string().min(1);
const count = z.int().positive();
const misprint = z.strictObject({ printed: z.number(), read: z.number(), why: text });

/** What figures are called; of one of several test sets with its name behind: accuracy_matched. */
const METRICS = [
  ...["accuracy", "mean_per_class_recall", "f1", "matthews", "pearson", "spearman", "rmse", "auroc", "vqa_score"],
  ...["acc1", "acc5", "lp_acc1", "lp_acc5", "lp_mean_per_class_recall", "itm_accuracy", "itm_choice", "itc_choice"],
  ...["text_retrieval_recall@1", "text_retrieval_recall@5", "text_retrieval_recall@10"],
  ...["image_retrieval_recall@1", "image_retrieval_recall@5", "image_retrieval_recall@10"],
];
const isMetric = (name: string): boolean =>
  METRICS.some((one) => name === one || name.startsWith(`${one}_`) || name === `validation_${one}`);
const metric = text.refine(isMetric, {
  error: ({ input }) => `unknown metric "${input}": ${nearest(String(input), METRICS)}`,
});

const figure = z.strictObject({
  metric: z.union([z.literal("mean"), metric]),
  of: z.array(metric).min(1).optional(),
  label: text.optional(),
  published: z.record(text, z.union([z.number(), misprint])).default({}),
});

const split = z.enum(SPLITS);

const different = z
  .array(text)
  .refine((names) => new Set(names).size === names.length, "expected different names, got one twice");

const data = z.strictObject({
  folder: text,
  layouts: z.array(z.enum(LAYOUTS)).min(1),
  fields: z.array(text).optional(),
  classes: different.optional(),
  words: z.union([z.array(text), z.literal("countries")]).optional(),
  classCount: count.optional(),
  range: z.tuple([z.number(), z.number()]).optional(),
  sizes: z.record(text, count).optional(),
  splits: z.partialRecord(split, z.array(text)),
  drawn: z
    .strictObject({
      of: z.enum(["class", "all"]),
      order: z.enum(["names", "seed"]),
      parts: z.partialRecord(split, z.union([z.number().positive(), z.literal("rest")])),
    })
    .optional(),
  renamed: z.record(text, text).optional(),
  imageSize: count.optional(),
  altered: z.strictObject({ shuffle: z.int().min(2).optional(), shift: z.number().gt(0).lt(1).optional() }).optional(),
  source: text,
});

const settings = z.strictObject({
  lr: z.number().positive(),
  batchSize: count,
  steps: count,
  warmupSteps: z.int().nonnegative(),
  weightDecay: z.number().nonnegative(),
  betas: z.tuple([z.number(), z.number()]),
  eps: z.number().positive(),
  schedule: z.enum(["linear", "cosine", "constant"]),
  dropout: z.number().min(0).max(1).optional(),
  attentionDropout: z.number().min(0).max(1).optional(),
  clipNorm: z.number().positive().nullable().optional(),
  headHidden: count.optional(),
});

/** A class's place is {}: other braces would stand in every prompt as they are. */
const template = z
  .string()
  .regex(/^[^{}]*(\{\}[^{}]*)+$/, 'expected {} for the class, and no other braces: "a photo of a {}."');

/** A task file. Unknown keys are refused. */
export const taskSchema: z.ZodType<Task> = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  title: text,
  order: count,
  group: z.enum(GROUPS),
  protocol: z.enum(PROTOCOLS),
  data,
  settings: settings.optional(),
  templates: z.array(template).optional(),
  figures: z.array(figure).min(1),
});

/** The keys of task files by where they stand, for messages: "", "data", "settings", "figures". */
export const TASK_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys((taskSchema as unknown as z.ZodObject).shape),
  data: Object.keys(data.shape),
  settings: Object.keys(settings.shape),
  figures: Object.keys(figure.shape),
};
