/** What a recipe will do, before it does it: `--dry-run`. */
import { dataName } from "../../datasets/index.ts";
import { type Coverage, describeCoverage } from "../../text/index.ts";
import type { StageBase } from "../stages/stage.ts";
import { familyOf, kindOf, modelOf, tables as own, type Tables } from "../tables.ts";
import { DATA_KINDS, type DataKind, type InitFrom, type Recipe, type WeightedSource } from "./types.ts";

/** What only a built stage knows. */
export interface StageMeasure {
  /** Number of trained parameters by scope, e.g. `flava.image_model`. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Estimated bytes by what they hold, e.g. `parameters`, `moments`, `activations of a pair batch`. */
  readonly memory: Readonly<Record<string, number>>;
  /** Nodes of the step graph by kind of batch. */
  readonly nodes?: Readonly<Record<string, number>> | undefined;
  /** Names of the losses that a step trains, by kind of batch. */
  readonly losses?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Floating-point operations of a step, by kind of batch. */
  readonly flops?: Readonly<Record<string, number>> | undefined;
  /** Bytes that each of several workers sends in a step, by kind of batch. */
  readonly sent?: Readonly<Record<string, number>> | undefined;
  /** Collectives of a step of several workers, by kind of batch. */
  readonly messages?: Readonly<Record<string, number>> | undefined;
  /** The share of the parameters that each of several workers updates, by kind of batch. */
  readonly updated?: Readonly<Record<string, number>> | undefined;
  /** About how long its steps take on this machine as it is now, building its graphs included; unknown for other machines' devices. */
  readonly seconds?: number | undefined;
  /** What fits into the device's memory; unknown for other machines' devices. */
  readonly fit?: Fit | undefined;
}

/** The largest micro-batch for a device's memory. */
export interface Fit {
  /** Bytes that a step may take there. */
  readonly available: number;
  /** Samples of a micro-batch; 0 where one sample is too much. */
  readonly samples: number;
  /** `gradientAccumulationSteps` for it. */
  readonly steps: number;
  /** Bytes that it takes, all in all. */
  readonly bytes: number;
}

/** Builds the stage's graphs, and no weights, to measure it. */
export type MeasureStage = (recipe: Recipe, stage: string) => StageMeasure | Promise<StageMeasure>;

/** A stage in a plan. */
export interface PlannedStage extends Partial<StageMeasure> {
  /** What it will do that its author may not expect. */
  readonly warnings: readonly string[];
  readonly name: string;
  readonly kind: string;
  readonly steps: number;
  readonly batchSize: number;
  /** Samples over all steps, by kind of data. */
  readonly samples: Readonly<Partial<Record<DataKind, number>>>;
}

/** What a run would do, to be printed by `--dry-run`. */
export interface Plan {
  readonly recipe: Recipe;
  /** How many words there will be; undefined where that is not known yet. */
  readonly words: number | undefined;
  /** What the vocabulary knows of each set of texts. */
  readonly coverage: Readonly<Record<string, Coverage>>;
  readonly stages: readonly PlannedStage[];
  readonly tables: Tables;
}

/** What is known beyond the recipe. */
export interface PlanOptions {
  readonly measure?: MeasureStage | undefined;
  readonly words?: number | undefined;
  readonly coverage?: Readonly<Record<string, Coverage>> | undefined;
  /** By stage. */
  readonly warnings?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly tables?: Tables | undefined;
}

/** The plan of a recipe, with sizes where `measure` is given. */
export async function describePlan(recipe: Recipe, options: PlanOptions = {}): Promise<Plan> {
  const { measure, words, coverage = {}, warnings = {}, tables = own } = options;
  const stages: PlannedStage[] = [];
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const { kind, steps, batchSize } = stage;
    const samples = kindOf(tables, stage).reads(stage);
    const warned = warnings[name] ?? [];
    stages.push({ name, kind, steps, batchSize, samples, warnings: warned, ...(await measure?.(recipe, name)) });
  }
  return { recipe, words, coverage, stages, tables };
}

const count = (n: number): string => n.toLocaleString("en-US");
const millions = (n: number): string => (n < 1e6 ? count(n) : `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)}M`);
const bytes = (n: number): string =>
  n < 2 ** 30 ? `${(n / 2 ** 20).toFixed(0)} MiB` : `${(n / 2 ** 30).toFixed(1)} GiB`;
const megabytes = (n: number): string => `${(n / 2 ** 20).toFixed(n < 10 * 2 ** 20 ? 2 : 0)} MiB`;
const sum = (values: Readonly<Record<string, number>>): number => Object.values(values).reduce((a, b) => a + b, 0);
const listed = (values: Readonly<Record<string, number>>, format: (n: number) => string): string =>
  `${format(sum(values))}: ${Object.entries(values)
    .sort(([, a], [, b]) => b - a)
    .map(([name, n]) => `${name} ${format(n)}`)
    .join(", ")}`;

/** The plan as text, a line a fact. */
export function formatPlan({ recipe, words, coverage, stages, tables }: Plan): string {
  const rows: [string, string][] = [
    [
      "recipe",
      `${recipe.name}, variant ${recipe.variant}, seed ${recipe.seed}, device ${recipe.device}, ${recipe.threads || "all"} threads → ${recipe.runDir}`,
    ],
    ...familyOf(tables, recipe).describe(recipe.model, wordsOf(tables, recipe, words)),
    ...DATA_KINDS.flatMap((kind) => sourceRows(kind, recipe.data[kind])),
    ...heldOutRows(recipe.evaluation),
    ...Object.entries(coverage).map(([name, found], i): [string, string] => [
      i === 0 ? "unknown words" : "",
      `${name}: ${describeCoverage(found)}`,
    ]),
  ];
  for (const plan of stages) rows.push(...stageRows(recipe.stages[plan.name]!, plan));
  const totals = formatTotals({ stages });
  if (totals !== "") rows.push(["in all", totals]);
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(width)}  ${text}`.trimEnd()).join("\n");
}

/** Time and memory of the whole run, as far as they were measured. */
export function formatTotals({ stages }: Pick<Plan, "stages">): string {
  const seconds = stages.every((stage) => stage.seconds !== undefined)
    ? `about ${duration(stages.reduce((total, stage) => total + stage.seconds!, 0))} of training on this machine as busy as it is now; reading, measuring and drawing come on top`
    : "";
  const most = Math.max(0, ...stages.map(({ memory = {} }) => sum(memory)));
  return [seconds, most > 0 ? `${bytes(most + NODE_BYTES)} of memory` : ""].filter(Boolean).join("; ");
}

/** What the process takes beside the stages. */
const NODE_BYTES = 400 * 2 ** 20;

const duration = (seconds: number): string =>
  seconds < 90
    ? `${Math.ceil(seconds)} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : seconds < 172_800
        ? `${(seconds / 3600).toFixed(1)} h`
        : `${count(seconds / 86_400)} days`;

/** How many words there will be. */
function wordsOf(tables: Tables, recipe: Recipe, words: number | undefined): string {
  if (words !== undefined) return count(words);
  const taken = count(modelOf(tables, recipe).texts?.vocabSize ?? 0);
  return recipe.vocabulary.kind === "full" ? taken : `as many as the texts use (not known yet: below, ${taken})`;
}

function sourceRows(kind: string, sources: readonly WeightedSource[]): [string, string][] {
  const total = sources.reduce((n, { weight }) => n + weight, 0);
  return sources.map(({ source, weight, share = 1, without = [] }, i) => {
    const held = without.map((set) => `, without what shares a ${set.by} with ${dataName(set.source)}`).join("");
    const part = share < 1 ? `${Number((100 * share).toPrecision(3))} % of ` : "";
    const place = `${part}${dataName(source)}${held}`;
    return [
      i === 0 ? kind : "",
      sources.length > 1 ? `${((100 * weight) / total).toFixed(1).padStart(5)} %  ${place}` : place,
    ];
  });
}

/** What is measured on: an extending recipe keeps the sets of the one below it unless it takes them away. */
function heldOutRows({ validation, test, texts, labelled, boxes }: Recipe["evaluation"]): [string, string][] {
  const sets = (label: string, given: Readonly<Record<string, WeightedSource["source"]>>): [string, string][] =>
    Object.entries(given).map(([name, source], i) => [i === 0 ? label : "", `${name}: ${dataName(source)}`]);
  return [
    ...sets("validation", validation),
    ...sets("test", test),
    ...texts.map((source, i): [string, string] => [i === 0 ? "held-out texts" : "", dataName(source)]),
    ...(labelled ? sets("labelled", { ...labelled }) : []),
    ...sets("boxes", boxes),
  ];
}

function formatFit({ available, samples, steps, bytes: taken }: Fit, { gradientAccumulationSteps }: StageBase): string {
  const verdict = `${gradientAccumulationSteps < steps || samples === 0 ? "too large for" : "fits into"} ${bytes(available)}`;
  if (samples === 0) return `${verdict}: a micro-batch of one sample takes ${bytes(taken)}; recompute takes less`;
  const size = `gradientAccumulationSteps ${count(steps)}, ${bytes(taken)}`;
  return `${verdict}: micro-batches of up to ${count(samples)} do (${size})`;
}

const formatInit = (from: InitFrom): string => (typeof from === "string" ? from : from.path);

function stageRows(stage: StageBase, plan: PlannedStage): [string, string][] {
  const { lr } = stage.optimizer;
  const { kind, warmupSteps, finalLr } = stage.schedule;
  const samples = Object.entries(plan.samples).map(([of, n]) => `${count(n)} ${of}`);
  const rows: [string, string][] = [
    [
      `stage ${plan.name}`,
      `${plan.kind}: ${count(plan.steps)} steps of ${count(plan.batchSize)}; in all ${samples.join(", ")}`,
    ],
    ["", `AdamW ${lr}, ${kind}${warmupSteps ? ` after ${count(warmupSteps)} steps of warm-up` : ""} to ${finalLr}`],
    [
      "",
      `from ${Object.entries(stage.init)
        .map(([part, from]) => `${part}: ${formatInit(from)}`)
        .join(", ")}`,
    ],
  ];
  if (plan.parameters) rows.push(["", `parameters ${listed(plan.parameters, millions)}`]);
  if (plan.nodes)
    rows.push([
      "",
      `nodes ${Object.entries(plan.nodes)
        .map(([of, n]) => `${of} ${count(n)}`)
        .join(", ")}`,
    ]);
  for (const line of plan.warnings) rows.push(["", `warning: ${line}`]);
  if (plan.seconds !== undefined) rows.push(["", `time about ${duration(plan.seconds)}`]);
  if (plan.memory) rows.push(["", `memory about ${listed(plan.memory, bytes)}`]);
  if (plan.fit) rows.push(["", formatFit(plan.fit, stage)]);
  if (plan.sent)
    rows.push([
      "",
      `sent by each worker in a step ${Object.entries(plan.sent)
        .map(([of, n]) => `${of} ${megabytes(n)}`)
        .join(", ")}`,
    ]);
  return rows;
}
