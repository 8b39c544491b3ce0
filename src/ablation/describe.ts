/** What the columns of an ablation train, read off the graphs of their steps, and what an ablation takes. */
import { dataName } from "../datasets/index.ts";
import { graph } from "../graph/index.ts";
import type { Model } from "../models/index.ts";
import type { DataKind, Recipe, StageMeasure } from "../pretrain/recipe/index.ts";
import { estimateSeconds, measureSpeed } from "../pretrain/run/estimate.ts";
import { measureStage, scopeOf } from "../pretrain/run/measure.ts";
import { kindOf, modelOf, planOf, type Tables } from "../pretrain/tables.ts";
import type { Protocol, Task } from "../tasks/index.ts";
import type { AblationPlan, PlannedColumn, PlannedRun } from "./plan.ts";

/** What the compared stage of a column trains, on what, from where. */
export interface ColumnTraining {
  readonly key: string;
  readonly number: number;
  readonly title: string;
  /** Names of the losses, by kind of batch. */
  readonly losses: Readonly<Record<string, readonly string[]>>;
  readonly family: string;
  /** Trained encoders: image, text, multimodal. */
  readonly encoders: readonly string[];
  /** Results of its model whose weights it trains: "image_embeds". */
  readonly answers: readonly string[];
  /** Why its model has no other, as far as it says so. */
  readonly lacks: Readonly<Record<string, string>>;
  /** Whether heads can be fine-tuned on it. */
  readonly tunable: boolean;
  readonly steps: number;
  readonly batchSize: number;
  /** By kind of data. */
  readonly samples: Readonly<Partial<Record<DataKind, number>>>;
  readonly sources: Readonly<Partial<Record<DataKind, readonly string[]>>>;
  /** Where the encoders and the codebook start: "random", or a stage and its samples. */
  readonly from: Readonly<Record<string, string>>;
}

/** Reads it off the column's graphs. */
export async function trainingOf(column: PlannedColumn, tables: Tables): Promise<ColumnTraining> {
  const { key, number, title, resolved, compared } = column;
  const stage = resolved.stages[compared]!;
  const { losses = {}, parameters } = await measureStage(resolved, compared, tables);
  const model = modelOf(tables, resolved);
  const answers = answersOf(model, new Set(Object.keys(parameters)));
  const encoders = ENCODERS.flatMap(([name, results]) => (results.some((one) => answers.includes(one)) ? [name] : []));
  const named = new Set(Object.values(losses).flat());
  const reads = planOf(tables, resolved, stage).datasets.map(({ data }) => data);
  const codebook = named.has("mim") || named.has("mmm_image");
  const unused = [
    ...ENCODERS.map(([name]) => name).filter((name) => !encoders.includes(name)),
    ...(codebook ? [] : ["codebook"]),
  ];
  const starts = Object.entries(stage.init).filter(([part]) => !unused.includes(part));
  return {
    ...{ key, number, title, losses, encoders, steps: stage.steps, batchSize: stage.batchSize },
    ...{ family: model.family, answers, lacks: model.lacks ?? {}, tunable: model.task !== undefined },
    samples: kindOf(tables, stage).reads(stage),
    sources: Object.fromEntries(
      [...new Set(reads)].map((kind) => [kind, resolved.data[kind].map(({ source }) => dataName(source))]),
    ),
    from: Object.fromEntries(starts.map(([part, from]) => [part, origin(resolved, from, tables)])),
  };
}

/** Which results say that an encoder is there. */
const ENCODERS: readonly (readonly [name: string, results: readonly string[]])[] = [
  ["image", ["image_embeddings"]],
  ["text", ["text_embeddings"]],
  ["multimodal", ["multimodal_embeddings", "itm_logits"]],
];

/** The results of a model whose weights are all among the trained scopes. */
function answersOf(model: Model, scopes: ReadonlySet<string>): string[] {
  const graphs = [
    model.image?.({ batch: 1 }),
    model.text?.({ batch: 1, textLength: 4 }),
    model.fusion?.({ batch: 1, textLength: 4 }),
  ];
  const found = graphs.flatMap((one) =>
    Object.entries(one?.graph.outputs ?? {}).flatMap(([name, value]) => {
      const { inputs } = graph(name, { [name]: value });
      const weights = one!.params.filter((spec) => Object.hasOwn(inputs, spec.name));
      return weights.length > 0 && weights.every((spec) => scopes.has(scopeOf(spec.name))) ? [name] : [];
    }),
  );
  return [...new Set(found)];
}

function origin(recipe: Recipe, from: string | { readonly path: string }, tables: Tables): string {
  if (typeof from !== "string") return from.path;
  const stage = recipe.stages[from];
  if (!stage) return from;
  return `its own stage (${stage.kind}, ${count(Object.values(kindOf(tables, stage).reads(stage)).reduce((a, b) => a + b, 0))} samples before these)`;
}

const count = (n: number): string => n.toLocaleString("en-US");

/** A sentence about a column, for people. */
export function trainingText({ number, title, losses, steps, samples, sources, from }: ColumnTraining): string {
  const trained = Object.entries(losses).map(([kind, names]) => `${names.join(", ")} (${kind})`);
  const seen = (Object.entries(samples) as [DataKind, number][]).map(
    ([kind, n]) => `${count(n)} ${kind} of ${(sources[kind] ?? []).join(", ")}`,
  );
  const starts = Object.entries(from).map(
    ([part, where]) => `${part} from ${where === "random" ? "random weights" : where}`,
  );
  return `${number} ${title}: ${trained.join("; ")}. ${count(steps)} steps on ${seen.join("; ")}. ${starts.join(", ")}.`;
}

/** What a task's way of measuring asks of a model: one of these sets of results. */
const NEEDS: { readonly [P in Protocol]: readonly (readonly string[])[] } = {
  linear: [["image_embeddings"]],
  "linear-text": [["text_embeddings"]],
  retrieval: [["image_embeds", "text_embeds"]],
  matching: [["itm_logits"]],
  ranking: [["itm_logits"], ["caption_log_likelihood"]],
  "finetune-text": [["text_embeddings"]],
  "finetune-image": [["image_embeddings"]],
  "finetune-pair": [["image_embeddings", "text_embeddings"]],
};

/** Whether a column has trained what a task measures: others stay empty, as in the paper's table. */
export const suits = (training: ColumnTraining, task: Task): boolean => reasonAgainst(training, task) === undefined;

/** Why a column is not measured on a task. */
export function reasonAgainst(
  { answers, lacks, family, tunable }: ColumnTraining,
  { protocol }: Task,
): string | undefined {
  const lacking = NEEDS[protocol].map((results) => results.find((name) => !answers.includes(name)));
  if (lacking.every((name) => name !== undefined))
    return lacks[lacking[0]!] ?? `this ${family} is not trained to give ${lacking[0]}`;
  if (protocol.startsWith("finetune-") && !tunable) return `no head is fine-tuned on a ${family}`;
  return undefined;
}

/** A sentence for each reason why tasks have no figure of a column. */
export function gapsOf(training: ColumnTraining, tasks: readonly Task[]): string[] {
  const found = new Map<string, string[]>();
  for (const task of tasks) {
    const reason = reasonAgainst(training, task);
    if (reason !== undefined) found.set(reason, [...(found.get(reason) ?? []), task.title]);
  }
  return [...found].map(
    ([reason, titles]) => `${training.number} ${training.title}, – in ${titles.join(", ")}: ${reason}.`,
  );
}

/** What a run takes. */
export interface RunCost {
  readonly run: PlannedRun;
  readonly samples: number;
  /** Of training alone; undefined where the device could not be tried. */
  readonly seconds: number | undefined;
  /** Of its folder: the model, and the checkpoints that stay. */
  readonly bytes: number;
}

/** What estimates go by. */
export interface CostOptions {
  /** Operations a second; measured on this machine as busy as it is now unless given. */
  readonly speed?: number | undefined;
  /** Of the texts, where it is known. */
  readonly vocabSize?: number | undefined;
}

/** Estimates each run. */
export async function costsOf({ runs, base, tables }: AblationPlan, options: CostOptions = {}): Promise<RunCost[]> {
  const speed = options.speed ?? (await measureSpeed(base).catch(() => undefined));
  const { vocabSize } = options;
  const known = new Map<string, Omit<RunCost, "run">>();
  const costs: RunCost[] = [];
  for (const run of runs) {
    const key = run.column ?? `shared ${Object.keys(run.recipe.stages)[0]}`;
    const found = known.get(key) ?? (await costOf(run.recipe, { tables, speed, vocabSize }));
    known.set(key, found); // it does not depend on the seed
    costs.push({ run, ...found });
  }
  return costs;
}

async function costOf(
  asked: Recipe,
  { tables, speed, vocabSize }: CostOptions & { readonly tables: Tables },
): Promise<Omit<RunCost, "run">> {
  const text = { ...asked.model.text, ...(vocabSize !== undefined && { vocabSize }) };
  const recipe = { ...asked, model: { ...asked.model, text } };
  let [samples, seconds, bytes]: [number, number | undefined, number] = [0, 0, 0];
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const measured = await measureStage(recipe, name, tables);
    samples += Object.values(kindOf(tables, stage).reads(stage)).reduce((a, b) => a + b, 0);
    bytes = diskOf(measured, stage.saveTotalLimit ?? Math.ceil(stage.steps / Math.max(1, stage.every.save)));
    const own = speed && estimateSeconds(stage, planOf(tables, recipe, stage), measured, speed);
    seconds = own === undefined || seconds === undefined ? undefined : seconds + own;
  }
  return { samples, seconds, bytes };
}

/** The exported model, and checkpoints with their moments. */
function diskOf({ memory }: StageMeasure, checkpoints: number): number {
  const { parameters = 0, "moments and sums": moments = 0, averages = 0 } = memory;
  return parameters + checkpoints * (parameters + moments + averages);
}
