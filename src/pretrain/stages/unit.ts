/** UniT's stage (Hu & Singh, arXiv:2102.10772 §3.4; MMF, projects/unit): every step takes one of the tasks, drawn by their ratios. */
import { z } from "zod";
import { type Augmentation, augmentOf, type BatchBuild, type TaskTarget } from "../../data/index.ts";
import {
  createDetection,
  createPairs,
  type EvaluationContext,
  type Evaluator,
  type PairSet,
} from "../../evaluators/index.ts";
import { constant } from "../../graph/index.ts";
import { MATCHING, type UnitConfig, type UnitTask } from "../../models/unit/index.ts";
import { adamW, augmentation, common, initFrom, schedule, share, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkLength } from "./checks.ts";
import { scaleFor, tokensFor } from "./defaults.ts";
import { knn } from "./shared.ts";
import type { PlannedDataset, Report, StageBase, StageKind, StagePlan, Unplaced } from "./stage.ts";
import { TINY } from "./tiny.ts";
import { detectionObjective, labelObjective, UNIT_WEIGHTS } from "./unit-objectives.ts";

/** How a task is trained. */
export interface UnitTaskChoice {
  /** Share of the steps; only the ratios count. */
  readonly ratio: number;
  /** What samples' labels are: whole numbers, names, "answers" of some worth, or "matching": whether the caption is the picture's own. */
  readonly labels: "numbers" | "answers" | "matching" | readonly string[];
  /** glue: whether two texts are read. */
  readonly textPairs: boolean;
  /** Which of the recipe's data it reads, as its kind says. */
  readonly data: "images" | "pairs" | "texts";
}

/** UniT's stage of a recipe, every default filled in. */
export interface UnitStage extends StageBase {
  readonly kind: "unit";
  readonly tasks: Readonly<Record<string, UnitTaskChoice>>;
  readonly textLength: number;
  /** Of tasks on pictures and texts; pictures with boxes are read whole. */
  readonly augmentation: Augmentation;
  /** The backbone's learning rate as a share of the others'. */
  readonly backboneLr: number;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom; readonly decoder: InitFrom };
}

/** MMF's ratios and what it says of labels. */
const PUBLISHED: Readonly<Record<string, Partial<UnitTaskChoice>>> = {
  detection_coco: { ratio: 0.2 },
  detection_visual_genome: { ratio: 0.07 },
  visual_entailment: { ratio: 0.12 },
  vqa2: { ratio: 0.26, labels: "answers" },
  glue_qnli: { ratio: 0.1, textPairs: true },
  glue_mnli_mismatched: { ratio: 0.1, textPairs: true },
  glue_qqp: { ratio: 0.1, textPairs: true },
  glue_sst2: { ratio: 0.05 },
  [MATCHING]: { labels: "matching" },
};

/** Which of the recipe's data a kind of task reads. */
const DATA = { detection: "images", vl: "pairs", glue: "texts" } as const;

const task = z.strictObject({
  ratio: z.number().nonnegative().default(1).describe("Share of the steps; only the ratios count."),
  labels: z
    .union([z.enum(["numbers", "answers", "matching"]), z.array(z.string().min(1)).min(2)])
    .default("numbers")
    .describe(
      "Labels of samples: whole numbers, names, answers of some worth, or whether the caption is the picture's own.",
    ),
  textPairs: z.boolean().default(false).describe("glue: whether two texts are read."),
  data: z
    .enum(["images", "pairs", "texts"])
    .default("pairs")
    .describe("Follows from the task's kind: detection reads images, vl pairs, glue texts."),
});

/** MMF's run of eight data sets. */
const schema = z.strictObject({
  kind: z.literal("unit"),
  ...common({ steps: 500_000, batchSize: 64, clipNorm: 0.1 }),
  optimizer: adamW({
    ...{ lr: 5e-5, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-4 },
    noDecay: ["bias$", "(norm\\d?|LayerNorm)\\.weight$"],
  }),
  schedule: schedule({ kind: "cosine", warmupSteps: 2000 }),
  tasks: z.record(z.string(), task).default({}),
  textLength: whole.default(128).describe("Tokens of a text, or of two."),
  augmentation,
  backboneLr: share.default(0.2).describe("The backbone's learning rate as a share of the others'."),
  init: z
    .strictObject({ image: initFrom("random"), text: initFrom("random"), decoder: initFrom("random") })
    .prefault({}),
});

export const unitKind: StageKind<UnitStage, UnitConfig> = {
  family: "unit",
  schema,
  gives: ["image", "text", "decoder"],
  startsFrom: ["image", "text", "decoder"],
  defaults: (given) => ({
    ...scaleFor(given, {
      tiny: { steps: 300, batchSize: 16, lr: 1e-3 },
      small: { steps: 1200, batchSize: 64, lr: 5e-4 },
    }).raw,
    textLength: tokensFor(given, 128),
    tasks: Object.fromEntries(
      Object.entries(given.model.tasks).map(([name, { kind }]) => [name, { ...PUBLISHED[name], data: DATA[kind] }]),
    ),
  }),
  reads({ steps, batchSize, tasks }) {
    const all = Object.values(tasks).reduce((sum, { ratio }) => sum + ratio, 0);
    const found: Partial<Record<UnitTaskChoice["data"], number>> = {};
    for (const { ratio, data } of Object.values(tasks))
      if (ratio > 0) found[data] = (found[data] ?? 0) + Math.round((steps * ratio) / all) * batchSize;
    return found;
  },
  check,
  tiny: (stage) => ({ ...stage, textLength: TINY.tokens, tasks: onSynthetic(stage.tasks) }),
  plan,
  measures: { knn: "labelled" },
  evaluators: (context, held, stage, recipe) => [
    ...Object.entries(held.validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs })),
    ...Object.entries(held.boxes).flatMap(([name, pictures]) =>
      detected(recipe.model, stage).map((task) =>
        createDetection(context, { name, pictures, task, onBad: held.onBad }),
      ),
    ),
    knn(context, held),
  ],
  test: pairsOf,
};

/** Synthetic pictures have one text each, and the number of a shape for a label. */
const onSynthetic = (tasks: UnitStage["tasks"]): UnitStage["tasks"] =>
  Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => [
      name,
      { ...task, textPairs: false, labels: task.labels === "matching" ? "matching" : "numbers" },
    ]),
  );

function check({ model, data }: Unplaced<UnitConfig>, stage: UnitStage, report: Report): void {
  const trained = Object.entries(stage.tasks).filter(([, { ratio }]) => ratio > 0);
  if (trained.length === 0) report(["tasks"], "the ratios sum to 0: nothing would be sampled");
  for (const [name, { labels, data: read }] of trained) {
    const own = model.tasks[name];
    const path = ["tasks", name];
    if (!own) {
      report(path, `expected one of model.tasks: ${Object.keys(model.tasks).join(", ")}`);
      continue;
    }
    const kind = DATA[own.kind];
    if (read !== kind) report([...path, "data"], `a ${own.kind} task reads ${kind}, got ${read}`);
    if (!data[kind].some(({ tasks }) => !tasks || tasks.includes(name)))
      report(path, `this reads ${kind}, but no source of data.${kind} is for it`);
    if (Array.isArray(labels) && labels.length !== own.labels)
      report([...path, "labels"], `expected ${own.labels} names (model.tasks.${name}.labels), got ${labels.length}`);
    if (labels === "matching" && (own.kind !== "vl" || own.labels !== 2))
      report([...path, "labels"], "whether a caption is the picture's own is a vl task of 2 labels");
  }
  if (trained.some(([name]) => model.tasks[name] && model.tasks[name].kind !== "detection"))
    checkLength({ model }, stage.textLength, report, ["textLength"]);
}

/** The first task that finds boxes and is trained: its classes are those of the sets. */
const detected = ({ tasks }: UnitConfig, stage: UnitStage): string[] =>
  Object.entries(stage.tasks)
    .flatMap(([name, { ratio }]) => (ratio > 0 && tasks[name]?.kind === "detection" ? [name] : []))
    .slice(0, 1);

/** Pairs are measured where the model has the task that says whether they match. */
function pairsOf(
  context: EvaluationContext,
  { textLength }: UnitStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  return createPairs(context, { ...set, textLength, retrieval: false, matching: true });
}

function plan({ model }: Recipe<UnitConfig>, stage: UnitStage): StagePlan {
  const names = Object.keys(stage.tasks).filter((name) => stage.tasks[name]!.ratio > 0);
  const of = (name: string): UnitTask => model.tasks[name]!;
  const { frozenStem } = model.image;
  return {
    objectives: Object.fromEntries(
      names.map((name) => [
        name,
        of(name).kind === "detection"
          ? detectionObjective(model, stage, name)
          : labelObjective(model, stage, name, stage.tasks[name]!),
      ]),
    ),
    datasets: names.map((name) => dataset(model, stage, name)),
    lossWeights: Object.fromEntries(
      names.flatMap((name) =>
        of(name).kind === "detection"
          ? Object.entries(UNIT_WEIGHTS).map(([loss, weight]) => [`${name}_${loss}`, weight])
          : [],
      ),
    ),
    gate(parameter) {
      if (!parameter.startsWith(BODY)) return undefined;
      if (frozenStem && FROZEN.test(parameter.slice(BODY.length))) return constant(0);
      return stage.backboneLr === 1 ? undefined : constant(stage.backboneLr);
    },
  };
}

const BODY = "unit_base_model.backbone.0.body.";
const FROZEN = /^(conv1|layer1)\./;

/** What a task's batches are made of. */
function dataset(model: UnitConfig, stage: UnitStage, name: string): PlannedDataset {
  const own = model.tasks[name]!;
  const { ratio, labels, textPairs } = stage.tasks[name]!;
  const image = { size: model.image.imageSize, augment: augmentOf(stage.augmentation) };
  const common = { kind: name, data: DATA[own.kind], ratio, task: name } as const;
  if (own.kind === "detection") {
    const whole = { size: model.image.imageSize, codebookSize: 0, augment: null, mask: null };
    return { ...common, build: { kind: "objects", image: whole, objects: { most: own.queries, classes: own.labels } } };
  }
  if (labels === "matching") {
    const pair = { ...image, codebookSize: 0, mask: null };
    const build: BatchBuild = { kind: "pair", image: pair, text: { length: stage.textLength, mask: null } };
    return { ...common, negatives: 0.5, build };
  }
  const text = { length: stage.textLength, pairs: own.kind === "glue" && textPairs };
  const target = targetOf(own, labels);
  return { ...common, build: { kind: "task", task: { text, target, ...(own.kind === "vl" && { image }) } } };
}

function targetOf({ labels: count }: UnitTask, labels: Exclude<UnitTaskChoice["labels"], "matching">): TaskTarget {
  if (labels === "answers") return { kind: "answers", count };
  return { kind: "classes", names: labels === "numbers" ? Array.from({ length: count }, (_, i) => `${i}`) : labels };
}
