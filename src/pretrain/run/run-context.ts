/** What the stages of a run work with, and what they say of themselves. */
import type { BadSample } from "../../data/index.ts";
import type { Json } from "../../io/index.ts";
import type { CheckpointState, Found, RunLog, StageProgress, storeEntries } from "../../record/index.ts";
import type { Device, State } from "../../runtime/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import type { Ending, Times } from "../../train/loop.ts";
import type { Evaluator, Metrics } from "../../train/stage.ts";
import type { Recipe, Stage } from "../recipe/types.ts";
import type { Sources } from "./inputs.ts";
import type { RunReporter } from "./reporter.ts";

/** What every stage of a run works with. */
export interface RunContext {
  /** With the vocabulary in use. */
  readonly recipe: Recipe;
  readonly runDir: string;
  readonly device: Device;
  readonly sources: Sources;
  readonly tokenizer: TextTokenizer;
  readonly log: RunLog;
  readonly reporter: RunReporter;
  readonly versions: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A checkpoint to go on from. */
export type Resumed = Found & { readonly state: CheckpointState };

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

export interface StageOutcome {
  readonly ending: Ending;
  readonly step: number;
  readonly samples: number;
  readonly times: Times;
  /** What guesses score, by the names of the log. */
  readonly chance: Metrics;
}

/** What looks at the model while it is trained and when it is done. */
export interface Looks {
  evaluators(run: StageRun): readonly Evaluator[];
  /** Called while the state of a finished stage is still in the engine. */
  finished?(run: StageRun): Promise<void>;
  /** Called before the first step. */
  begun?(run: StageRun): Promise<void>;
  /** Called after every checkpoint with what this process has done of the stage. */
  saved?(progress: StageProgress): Promise<void>;
}

/** Sizes and switches that the tensors of a checkpoint depend on. */
export const architectureOf = ({ model }: Recipe): Json => model as unknown as Json;
