/** What a checked recipe holds. The defaults and their reasons are in the schema files beside this one. */

import type { CaptionMode, SplitBy } from "../../data/index.ts";
import type { DataSpec } from "../../datasets/index.ts";
import type { FlavaConfig } from "../../models/flava/index.ts";
import type { FamilyName } from "../../models/index.ts";
import type { DeviceName } from "../../runtime/index.ts";
import type { Stage } from "../stages/kinds.ts";

export type { Stage } from "../stages/kinds.ts";

/** What a recipe's data are: images with captions, images, texts. */
export type DataKind = "pairs" | "images" | "texts";

/** In the order in which plans list them. */
export const DATA_KINDS: readonly DataKind[] = ["pairs", "images", "texts"];

/** A recipe with every default filled in; `C` is the configuration of its family's model, which is a FLAVA unless said. */
export interface Recipe<C = FlavaConfig> {
  readonly name: string;
  /** Every draw of the run is a function of it. */
  readonly seed: number;
  readonly device: DeviceName;
  /** What products read in training steps; everything that is kept is float32 in both. */
  readonly dtype: "fp32" | "bf16";
  /** Threads of the engine; 0: all processors. */
  readonly threads: number;
  readonly runDir: string;
  /** Keys that may differ when the run is resumed, each with all below it; `*` stands for any name. */
  readonly mayChange: readonly string[];
  /** Which kind of model `model` describes. */
  readonly family: FamilyName;
  /** Which sizes and defaults it started from. */
  readonly variant: string;
  /** Complete: variant, defaults and the recipe's own sizes. */
  readonly model: C;
  readonly vocabulary: VocabularyChoice;
  readonly data: DataChoice;
  readonly evaluation: EvaluationChoice;
  /** By name, in the order in which they run. */
  readonly stages: Readonly<Record<string, Stage>>;
}

/**
 * `full`: the 30,522 entries of bert-base-uncased. `reduced`: those that the recipe's captions and texts use `minCount` times
 * or more, and those that its captions use `minCaptionCount` times or more. Equal texts count once. `file`: that of another model, in
 * its order, at `path`.
 */
export interface VocabularyChoice {
  readonly kind: "full" | "reduced" | "file";
  /** A model's folder, tokenizer.json or vocab.txt; null unless `kind` is `file`. */
  readonly path: string | null;
  readonly minCount: number;
  readonly minCaptionCount: number;
}

/** A source, and how often it is drawn from. */
export interface WeightedSource {
  /** What openData takes. */
  readonly source: string | DataSpec;
  /** Share among the sources of its kind; only the ratio counts. */
  readonly weight: number;
  /** The share of its samples that is read, chosen by their keys; absent: all. */
  readonly share?: number | undefined;
  /** Which caption of a sample is read; absent: what the source says, else one at random. */
  readonly captions?: CaptionMode | undefined;
  /** Which tasks of a UniT read it; all unless said. */
  readonly tasks?: readonly string[] | undefined;
  /** Held-out sets: samples that share something with one of their samples are left out. */
  readonly without?: readonly Without[] | undefined;
}

/** A held-out set, and what training samples must not share with it. */
export interface Without {
  readonly source: string | DataSpec;
  readonly by: SplitBy;
}

/** The training data, and how it is read. */
export interface DataChoice {
  readonly pairs: readonly WeightedSource[];
  readonly images: readonly WeightedSource[];
  readonly texts: readonly WeightedSource[];
  /** Samples of a shuffle block; 0: in the order of the source. */
  readonly shuffle: number;
  /** A block ends early at this many bytes of encoded samples. */
  readonly shuffleBytes: number;
  /** Sources that fit into this many bytes are read once and reshuffled as wholes. */
  readonly memoryBytes: number;
  /** Decoded pictures up to this many bytes are kept. */
  readonly pixelBytes: number;
  /** Threads that decode and mask. */
  readonly workers: number;
  /** Batches prepared ahead of the step. */
  readonly prefetch: number;
}

/** Held-out data. Sets of pairs stand by the name that their metrics start with. */
export interface EvaluationChoice {
  /** Measured during the run; what `best` may go by. */
  readonly validation: Readonly<Record<string, string | DataSpec>>;
  /** Measured once, at the end. */
  readonly test: Readonly<Record<string, string | DataSpec>>;
  /** Texts for masked language modelling; empty: it is not measured. */
  readonly texts: readonly (string | DataSpec)[];
  /** Images with labels, for k-NN classification by an image encoder; null: it is not measured. */
  readonly labelled: LabelledSets | null;
  /** Pictures with boxes, for models that find them. */
  readonly boxes: Readonly<Record<string, string | DataSpec>>;
  /** Samples of each set; more are left out. */
  readonly maxPairs: number;
  /** Samples that go through the model at once; results do not depend on it. */
  readonly batchSize: number;
}

/** The neighbours, and the images whose labels they are asked for. */
export interface LabelledSets {
  readonly train: string | DataSpec;
  readonly test: string | DataSpec;
}

/** Where initial weights come from: `random`, the name of an earlier stage, or a file or checkpoint folder. */
export type InitFrom = string | { readonly path: string };

/** A value that moves by a cosine from `start` at step 0 to `end` at step `steps`, then stays. */
export interface Ramp {
  readonly start: number;
  readonly end: number;
  readonly steps: number;
}
