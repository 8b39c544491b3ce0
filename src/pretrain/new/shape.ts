/** A recipe's sizes and steps from what the data are, how fast the machine is and how long it may take. */

import { parseRecipe } from "../recipe/load.ts";
import { merge } from "../recipe/merge.ts";
import type { StageMeasure } from "../recipe/plan.ts";
import type { DataKind, Recipe } from "../recipe/types.ts";
import { estimateSeconds } from "../run/estimate.ts";
import { measureStage } from "../run/measure.ts";
import type { Tables } from "../tables.ts";
import { planOf } from "../tables.ts";
import type { Survey } from "./survey.ts";

/** How large the model is: the variant of the recipe. */
export type Size = "tiny" | "small" | "base";

type Raw = Record<string, unknown>;

/** What the data give. */
export interface Material {
  readonly kind: DataKind;
  readonly survey: Survey;
  /** Samples that are left to train on. */
  readonly train: number;
  /** Of further texts, where there are some. */
  readonly texts?: Survey | undefined;
  /** Entries of the vocabulary; undefined: all of bert-base-uncased's. */
  readonly words: number | undefined;
}

/** What a recipe may take. */
export interface Budget {
  readonly size: Size;
  readonly seconds: number;
  /** Operations a second of a layer here. */
  readonly speed: number;
  /** Bytes of this machine. */
  readonly memory: number;
}

/** The chosen sizes: of the recipe, what differs from the variant and its stages. */
export interface Shape {
  readonly model: Raw;
  readonly stages: Readonly<Record<string, Raw>>;
  /** What went into the choice and should be read. */
  readonly remarks: readonly string[];
}

/** Of the time, what is left for reading data, evaluations and pictures. */
const FOR_STEPS = 0.8;
/** A sample seen more often than this is learnt by heart. */
const MOST_PASSES: Readonly<Record<Size, number>> = { tiny: 400, small: 150, base: 60 };
const MIN_STEPS = 10;
/** Shares of the time by stage, and of it each stage's own; scaled to those there are. */
const TIME: Readonly<Record<string, number>> = { codebook: 0.1, text: 0.15, image: 0.15, joint: 0.6 };

/** From wide and deep to what the starter has; of a size the first is taken that gets enough joint steps in the time. */
const DEPTHS: readonly Raw[] = [
  {},
  { hiddenSize: 192, heads: 3, intermediateSize: 768, layers: 4 },
  { hiddenSize: 128, heads: 4, intermediateSize: 512, layers: 2 },
];
const ENOUGH_STEPS = 800;

/** Chooses sizes and steps. Graphs are traced for it, no weights are made. */
export async function chooseShape(material: Material, budget: Budget, tables: Tables): Promise<Shape> {
  const names = stagesFor(material);
  const main = names.at(-1)!;
  const depths = budget.size === "small" ? DEPTHS : [{}];
  for (const [i, depth] of depths.entries()) {
    const model = modelFor(material, budget.size, depth);
    const stages = Object.fromEntries(names.map((name) => [name, stageFor(name, material, budget.size)]));
    const measured = await Measured.of(model, stages, material, budget, tables);
    const wanted = Math.min(ENOUGH_STEPS, mostSteps(stages[main]!, material, budget.size));
    if (i + 1 < depths.length && measured.stepsIn(main, timeFor(main, names, budget)) < wanted) continue;
    return withSteps(measured, names, material, budget);
  }
  throw new Error("internal: no depth");
}

const stagesFor = ({ kind }: Material): string[] =>
  kind === "pairs" ? ["codebook", "text", "image", "joint"] : kind === "images" ? ["codebook", "image"] : ["text"];

const timeFor = (name: string, names: readonly string[], { seconds }: Budget): number =>
  (seconds * FOR_STEPS * TIME[name]!) / names.reduce((sum, one) => sum + TIME[one]!, 0);

/** Steps in which each sample comes as often as it may. */
const mostSteps = ({ batchSize }: Raw, { train }: Material, size: Size): number =>
  Math.max(MIN_STEPS, Math.ceil((MOST_PASSES[size] * train) / (batchSize as number)));

function withSteps(measured: Measured, names: readonly string[], material: Material, budget: Budget): Shape {
  const remarks: string[] = [];
  const stages: Record<string, Raw> = {};
  for (const name of names) {
    const possible = Math.max(MIN_STEPS, measured.stepsIn(name, timeFor(name, names, budget)));
    const most = mostSteps(measured.stages[name]!, material, budget.size);
    stages[name] = { ...measured.stages[name]!, steps: rounded(Math.min(possible, most)) };
    if (name === names.at(-1) && possible > most)
      remarks.push(
        `${name}: ${stages[name]!.steps} steps see each sample about ${MOST_PASSES[budget.size]} times; more would be learnt by heart`,
      );
    if (possible === MIN_STEPS)
      remarks.push(
        `${name}: ${MIN_STEPS} steps are fewer than anything is learnt in: give more --minutes or a smaller --size`,
      );
  }
  return { model: measured.model, stages, remarks };
}

/** Two digits: the estimate has no more. */
function rounded(n: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(n)) - 1);
  return Math.max(1, Math.floor(n / unit) * unit);
}

const isSmall = (size: Size): boolean => size !== "base";
const DEVIATION = 0.1;

/** What differs from the variant: the side of the pictures, the words of a text, and first weights for narrow models. */
function modelFor({ kind, survey, texts }: Material, size: Size, depth: Raw): Raw {
  const narrow: Raw = isSmall(size) ? { initializerRange: DEVIATION } : {};
  const tokens = Math.max(tokensOf(survey), texts ? tokensOf(texts) : 0);
  const words = visualWords(survey, size);
  const image = {
    ...depth,
    ...narrow,
    ...(isSmall(size) && { tokenInitializerRange: DEVIATION, imageSize: sideOf(survey, size) }),
    ...(words !== undefined && { vocabSize: words }),
  };
  const text = {
    ...depth,
    ...narrow,
    ...(isSmall(size) && { embeddingInitializerRange: 0.004, maxPositions: tokens }),
  };
  const layers = typeof depth.layers === "number" ? { layers: Math.max(1, depth.layers >> 1) } : {};
  const multimodal = { ...depth, ...layers, ...narrow, ...(isSmall(size) && { tokenInitializerRange: DEVIATION }) };
  return {
    ...(kind !== "texts" && { image }),
    ...(kind !== "images" && { text }),
    ...(kind === "pairs" && { multimodal }),
    ...(kind !== "texts" &&
      words !== undefined && { codebook: { vocabSize: words, ...(size === "tiny" && { blocksPerGroup: 1 }) } }),
    ...(typeof depth.hiddenSize === "number" && { projectionDim: depth.hiddenSize }),
  };
}

/** Room for 95 of 100 texts, in steps of 8. */
const tokensOf = ({ tokens }: Survey): number => Math.min(128, Math.max(8, 8 * Math.ceil((tokens?.most ?? 8) / 8)));

/** No larger than the pictures are. */
function sideOf({ side }: Survey, size: Size): number {
  const largest = size === "tiny" ? 32 : 64;
  return Math.max(32, Math.min(largest, 16 * Math.round((side?.median ?? largest) / 16)));
}

/** Few pictures do not fill a thousand visual words. */
const visualWords = ({ total }: Survey, size: Size): number | undefined =>
  size === "small" && total < 20_000 ? 256 : size === "tiny" ? 64 : undefined;

/** The largest power of two that is not more than the samples there are. */
function batchFor(train: number, most: number): number {
  return Math.max(2, Math.min(most, 2 ** Math.floor(Math.log2(Math.max(2, train)))));
}

const BATCHES: Readonly<Record<Size, number>> = { tiny: 16, small: 64, base: 128 };
const CODEBOOK_BATCHES: Readonly<Record<Size, number>> = { ...BATCHES, small: 32 };
const KINDS: Readonly<Record<string, string>> = {
  codebook: "dvae",
  text: "text-mlm",
  image: "image-mim",
  joint: "joint",
};
const LR: Readonly<Record<Size, number | undefined>> = { tiny: 2e-3, small: 1e-3, base: undefined };

function stageFor(name: string, { train, texts, kind }: Material, size: Size): Raw {
  const samples = name === "text" && texts ? texts.total : train;
  const batchSize = batchFor(samples, name === "codebook" ? CODEBOOK_BATCHES[size] : BATCHES[size]);
  const lr = name === "codebook" ? undefined : LR[size];
  const common: Raw = {
    kind: KINDS[name],
    batchSize,
    ...(size === "base" && { gradientAccumulationSteps: Math.max(1, batchSize / 8) }),
    ...(lr !== undefined && { optimizer: { lr } }),
    ...(isSmall(size) && name !== "codebook" && { clipNorm: 1 }),
  };
  if (name === "codebook" || name === "image")
    return { ...common, augmentation: { scale: [0.6, 1], flip: kind === "images" ? 0.5 : 0 } };
  if (name === "joint" && isSmall(size))
    return { ...common, lossWeights: { mim: 0.05, mlm: 0.05, itm: 0.05, mmmImage: 0.05, mmmText: 0.05 } };
  return common;
}

/** The stages of a candidate, in micro-batches that fit into memory, and what they cost here. */
class Measured {
  readonly model: Raw;
  readonly stages: Record<string, Raw> = {};
  readonly #measures: Record<string, StageMeasure> = {};
  readonly #parse: (stages: Readonly<Record<string, Raw>>) => Recipe;
  readonly #budget: Budget;
  readonly #tables: Tables;

  static async of(
    model: Raw,
    stages: Readonly<Record<string, Raw>>,
    { kind, words }: Material,
    budget: Budget,
    tables: Tables,
  ): Promise<Measured> {
    const sized = kind === "images" || words === undefined ? model : merge(model, { text: { vocabSize: words } });
    const base = { name: "new", variant: budget.size, model: sized, data: { [kind]: "synthetic:2" } };
    const parse = (all: Readonly<Record<string, Raw>>): Recipe =>
      parseRecipe({ ...base, stages: all }, "the new recipe", tables);
    const measured = new Measured(model, parse, budget, tables);
    for (const [name, stage] of Object.entries(stages)) await measured.#fit(name, stage, stages);
    return measured;
  }

  private constructor(
    model: Raw,
    parse: (stages: Readonly<Record<string, Raw>>) => Recipe,
    budget: Budget,
    tables: Tables,
  ) {
    this.model = model;
    this.#parse = parse;
    this.#budget = budget;
    this.#tables = tables;
  }

  async #fit(name: string, stage: Raw, all: Readonly<Record<string, Raw>>): Promise<void> {
    let current = stage;
    for (;;) {
      const measure = await measureStage(this.#parse({ ...all, [name]: current }), name, this.#tables);
      const bytes = Object.values(measure.memory).reduce((sum, n) => sum + n, 0);
      const parts = (current.gradientAccumulationSteps as number | undefined) ?? 1;
      if (bytes <= this.#budget.memory * MEMORY_SHARE || parts * 4 > (current.batchSize as number)) {
        this.stages[name] = current;
        this.#measures[name] = measure;
        return;
      }
      current = { ...current, gradientAccumulationSteps: parts * 2 };
    }
  }

  /** How many steps of a stage take so many seconds. */
  stepsIn(name: string, seconds: number): number {
    const recipe = this.#parse(this.stages);
    const stage = recipe.stages[name]!;
    const plan = planOf(this.#tables, recipe, stage);
    const of = (steps: number): number =>
      estimateSeconds({ ...stage, steps }, plan, this.#measures[name]!, this.#budget.speed);
    return Math.floor(((seconds - of(0)) / (of(1000) - of(0))) * 1000);
  }
}

/** Of the machine's memory, what a stage may take: pictures, threads and the system need some. */
const MEMORY_SHARE = 0.6;
