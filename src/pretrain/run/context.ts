/** What the stages of a run share, and what a stage reports about itself. */
import type { Cluster } from "../../cluster/index.ts";
import type { BadSample } from "../../data/index.ts";
import type { Json } from "../../io/index.ts";
import type { CheckpointState, Found, RunLog, storeEntries } from "../../record/index.ts";
import type { Device, State } from "../../runtime/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import type { Ending, Metrics, Times } from "../../train/index.ts";
import type { Recipe, Stage } from "../recipe/types.ts";
import type { Tables } from "../tables.ts";
import type { Sources } from "./inputs.ts";
import type { RunReporter } from "./reporter.ts";

/** What every stage of a run works with. */
export interface RunContext {
  /** With the vocabulary in use. */
  readonly recipe: Recipe;
  /** What the recipe's names stand for. */
  readonly tables: Tables;
  readonly runDir: string;
  readonly device: Device;
  readonly sources: Sources;
  readonly tokenizer: TextTokenizer;
  readonly log: RunLog;
  readonly reporter: RunReporter;
  readonly versions: Readonly<Record<string, string>>;
  /** Fires on all workers after the same step. */
  readonly signal?: AbortSignal | undefined;
  /** The workers that share every batch; the first of them writes. */
  readonly cluster: Cluster;
  /** Called after every step. */
  readonly meet: () => Promise<void>;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
  /** Adds to the run's history which data files have changed: a line for each. */
  onChanged(lines: readonly string[]): Promise<void>;
}

/** A checkpoint to resume from. */
export type Resumed = Found & { readonly state: CheckpointState };

/** A stage while its state is in the engine. */
export interface StageRun {
  readonly name: string;
  readonly stage: Stage;
  readonly state: State;
  readonly chance: Metrics;
  /** Number of trained parameters. */
  readonly parameters: number;
  /** The model's tensors as a file holds them. */
  modelEntries(): ReturnType<typeof storeEntries>;
}

/** How a stage ended. */
export interface StageOutcome {
  readonly ending: Ending;
  readonly step: number;
  readonly samples: number;
  readonly times: Times;
  /** What guesses score, by the names of the log. */
  readonly chance: Metrics;
}

/** Sizes and switches that the tensors of a checkpoint depend on. */
export const architectureOf = ({ model }: Recipe): Json => model as unknown as Json;
