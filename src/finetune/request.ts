/** What a fine-tuning is asked for, who hears of it, and what comes of it. */
import type { BadSample, Source } from "../data/index.ts";
import type { Json, JsonObject } from "../io/index.ts";
import type { RunLog, RunRecord } from "../record/index.ts";
import type { BaseModel } from "./base.ts";
import type { PreparedData } from "./data.ts";
import type { Figures, Intervals, Outputs } from "./figures.ts";
import type { Settings } from "./settings.ts";

/** What is tuned, on what, and where. */
export interface TuningRequest {
  readonly base: BaseModel;
  readonly data: PreparedData;
  readonly settings: Settings;
  readonly seed: number;
  /** The figure that chooses the best checkpoint: the least loss or rmse, the most of any other. */
  readonly best?: string | undefined;
  /** Samples that are measured once, with the best checkpoint. */
  readonly tests?: Readonly<Record<string, Source>> | undefined;
  readonly out: string;
  /** Whether a run in the folder goes on. */
  readonly resume?: boolean | undefined;
  readonly name: string;
  /** What was typed, or what would do the same. */
  readonly command: string;
  /** Of the model and the data, for the run's recipe.json; a run is not resumed with another. */
  readonly about: Json;
  /** Threads that make batches. */
  readonly workers?: number | undefined;
}

/** Who hears of a run. */
export interface TuningReporter {
  note(line: string): void;
  begin(stage: string, steps: number, done: number): void;
  step(step: number, text: string): void;
  end(): void;
}

/** How a run reports and is stopped. */
export interface TuningOptions {
  readonly reporter?: TuningReporter | undefined;
  /** When it fires, the step is finished and saved, and the result is "stopped". */
  readonly signal?: AbortSignal | undefined;
  /** Called with each sample that is left out while training and measuring; the run's folder lists them too. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** What came of a run. */
export interface TuningResult {
  readonly status: "done" | "stopped";
  readonly out: string;
  /** Of the best checkpoint on the validation samples; empty where the run was stopped. */
  readonly figures: Figures;
  /** Of the tests, by their names. */
  readonly tests: Readonly<Record<string, Figures>>;
  /** 95 % bootstrap intervals of the figures, by the tests' names and "validation". */
  readonly intervals: Readonly<Record<string, Intervals>>;
  /** The step of the best checkpoint. */
  readonly step: number;
  /** What the head says of the tests' samples, and of the validation samples as "validation"; only of a run that ended just now. */
  readonly outputs: Readonly<Record<string, Outputs>>;
}

/** The name of the training in the run's folder. */
export const STAGE = "finetune";

/** What a run works with. */
export interface Running extends TuningRequest {
  readonly reporter: TuningReporter;
  readonly signal: AbortSignal | undefined;
  readonly log: RunLog;
  readonly record: RunRecord;
  readonly onBad: (bad: BadSample) => void;
  readonly recipe: JsonObject;
}
