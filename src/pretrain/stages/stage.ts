/** What a kind of stage provides. Each kind is one row of the table in kinds.ts. */
import type { z } from "zod";
import type { BadSample, BatchBuild, DatasetOptions, Sample, Source } from "../../data/index.ts";
import type { BoxedSet, EvaluationContext, Evaluator, LabelledSet, PairSet } from "../../evaluators/index.ts";
import type { FlavaConfig } from "../../models/flava/index.ts";
import type { FamilyName } from "../../models/index.ts";
import type { Drawing, NamedSection, UncaptionedWords } from "../../pictures/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { TrainingOptions, TrainingPlan } from "../../train/index.ts";
import type { DataKind, InitFrom, Recipe } from "../recipe/types.ts";
import type { DefaultsFor } from "./defaults.ts";

/** What every stage of a recipe has. */
export interface StageBase extends TrainingOptions {
  readonly kind: string;
  /** Samples of one optimizer step, all micro-batches together. */
  readonly batchSize: number;
  /** Decay of the averaged weights; null: none. */
  readonly ema: number | null;
  /** Steps between lines of the log, evaluations and checkpoints; 0: only the last step. */
  readonly every: { readonly log: number; readonly eval: number; readonly save: number };
  /** Checkpoints that stay, the best not counted; null: all. */
  readonly saveTotalLimit: number | null;
  readonly best: Best | null;
  /** Where each part of the model comes from. */
  readonly init: Readonly<Record<string, InitFrom>>;
}

/** Which metric chooses the best checkpoint. */
export interface Best {
  /** A name of metrics.jsonl. */
  readonly metric: string;
  readonly mode: "min" | "max";
}

/** A stage, before anything is compiled or read. */
export interface StagePlan extends TrainingPlan {
  /** What the loader reads for each objective. */
  readonly datasets: readonly PlannedDataset[];
  /** Whether a parameter is one of the model that the stage trains (and not, say, its teacher's). All are unless said. */
  isModel?(parameter: string): boolean;
  /** The parameter whose first value this one shares. */
  twin?(parameter: string): string | undefined;
}

/** What one of the loader's data sets reads and builds. */
export interface PlannedDataset extends Pick<DatasetOptions, "ratio" | "negatives" | "pack"> {
  /** The key of its objective. */
  readonly kind: string;
  /** Of which kind of the recipe's data it is. */
  readonly data: DataKind;
  /** Reads those sources alone that are for this task or for all. */
  readonly task?: string | undefined;
  readonly build: BatchBuild;
}

/** Reports a contradiction at a path inside the stage. */
export type Report = (path: readonly (string | number)[], message: string) => void;

/** A recipe before its folder has a name. */
export type Unplaced<C = FlavaConfig> = Omit<Recipe<C>, "runDir">;

/** The held-out data of a run: each set is read when it is first asked for, once. */
export interface HeldOut {
  readonly validation: Readonly<Record<string, PairSet>>;
  readonly test: Readonly<Record<string, PairSet>>;
  readonly labelled: { readonly train: LabelledSet; readonly test: LabelledSet } | undefined;
  readonly boxes: Readonly<Record<string, BoxedSet>>;
  /** Texts for masked language modelling, and those that the model was trained on. */
  readonly texts: () => Promise<readonly Source[]>;
  readonly trainingTexts: () => Promise<readonly Source[]>;
  /** Rows of each source of texts. */
  readonly maxTexts: number;
  /** Words that no training caption has. */
  readonly words: () => Promise<UncaptionedWords>;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A stage before its first step: its parameters have their first values. */
export interface Beginning extends Pick<EvaluationContext, "device" | "state" | "tokenizer" | "signal"> {
  /** Takes a line for people. */
  note(line: string): void;
  /** Training samples of a kind of data (texts where that is the kind, else images), at most `count`, alike many of each source. */
  samples(kind: DataKind, count: number): Promise<readonly Sample[]>;
}

/** A row of the table of kinds: all that the rest of the package asks of a kind of stage. `C` is the configuration of what it trains. */
export interface StageKind<S extends StageBase, C = FlavaConfig> {
  /** The family of models that it trains; any unless said. */
  readonly family?: FamilyName;
  /** What a recipe may say, with every default. */
  readonly schema: z.ZodType<S>;
  /** Parts of the model that it trains: what later stages may start from. */
  readonly gives: readonly string[];
  /** Parts of the model that `init` names: each comes from the last earlier stage that trains it, unless the recipe says otherwise. */
  readonly startsFrom?: readonly string[];
  /** What a recipe of another size than base takes where it says nothing. */
  defaults?(given: DefaultsFor<C>): Readonly<Record<string, unknown>>;
  /** Samples over all steps, by kind of data. */
  reads(stage: S): Readonly<Partial<Record<DataKind, number>>>;
  /** Reports what contradicts the rest of the recipe. */
  check?(recipe: Unplaced<C>, stage: S, report: Report): void;
  /** The same stage for a model that its family made tiny; steps, batch and intervals are small already. */
  tiny?(stage: S, recipe: Recipe<C>): S;
  /** First values that depend on the training data, by parameter: they replace those of a stage that begins. */
  firstValues?(beginning: Beginning, stage: S, recipe: Recipe<C>): Promise<Readonly<Record<string, Tensor>>>;
  /** What it trains on what. `recipe.model` has the sizes of the vocabulary in use. */
  plan(recipe: Recipe<C>, stage: S): StagePlan;
  /** Its evaluations that do not belong to a set of pairs: the held-out data that each is measured on, by the prefix of its metrics. */
  readonly measures?: Readonly<Record<string, "validation" | "texts" | "labelled">>;
  /** What measures the model during the stage. */
  evaluators?(
    context: EvaluationContext,
    held: HeldOut,
    stage: S,
    recipe: Recipe<C>,
  ): readonly (Evaluator | undefined)[];
  /** Measures a set of test pairs, once, at the end of the run. */
  test?(
    context: EvaluationContext,
    stage: S,
    set: { readonly name: string; readonly pairs: PairSet },
  ): Evaluator | undefined;
  /** Picture sections of the report. `note` takes a line on what was left out and should not surprise. */
  pictures?(drawing: Drawing, stage: S, note: (line: string) => void): AsyncIterable<NamedSection>;
  /** Weights of its losses, as the model's config.json has them. */
  lossWeights?(stage: S): Readonly<Record<string, number>>;
}
