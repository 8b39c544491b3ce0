/** What a checked recipe holds. The defaults and their reasons are in the schema files beside this one. */

import type { CaptionMode } from "../../data/sources/source.ts";
import type { DataSpec } from "../../datasets/index.ts";
import type { FlavaConfig, LossWeights } from "../../models/flava/config.ts";
import type { DeviceName } from "../../runtime/device-names.ts";
import type { BreakMode } from "../../text/index.ts";

export interface Recipe {
  readonly name: string;
  /** Every draw of the run is a function of it. */
  readonly seed: number;
  readonly device: DeviceName;
  /** Threads of the engine; 0: all processors. */
  readonly threads: number;
  readonly runDir: string;
  /** Complete: variant, defaults and the recipe's own sizes. */
  readonly model: FlavaConfig;
  readonly vocabulary: VocabularyChoice;
  readonly data: DataChoice;
  readonly evaluation: EvaluationChoice;
  /** By name, in the order in which they run. */
  readonly stages: Readonly<Record<string, Stage>>;
}

/**
 * `full`: the 30,522 entries of bert-base-uncased. `reduced`: those that the recipe's captions and texts use `minCount` times
 * or more, and those that its captions use `minCaptionCount` times or more. `caption-words`: whole words that its captions use
 * `minCaptionCount` times or more; all others are skipped, in texts too. Equal texts count once. `file`: that of another model, in
 * its order, at `path`.
 */
export interface VocabularyChoice {
  readonly kind: "full" | "reduced" | "caption-words" | "file";
  /** A model's folder, tokenizer.json or vocab.txt; null unless `kind` is `file`. */
  readonly path: string | null;
  readonly minCount: number;
  readonly minCaptionCount: number;
}

export interface WeightedSource {
  /** What openData takes. */
  readonly source: string | DataSpec;
  /** Share among the sources of its kind; only the ratio counts. */
  readonly weight: number;
  /** Which caption of a sample is read; absent: what the source says, else one at random. */
  readonly captions?: CaptionMode | undefined;
}

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

export type StageKind = "dvae" | "text-mlm" | "image-mim" | "image-dino" | "joint";
export type Stage = DvaeStage | TextMlmStage | ImageMimStage | ImageDinoStage | JointStage;

/** Where initial weights come from: `random`, the name of an earlier stage, or a file or checkpoint folder. */
export type InitFrom = string | { readonly path: string };

export interface AdamWChoice {
  /** Peak learning rate. */
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /** What the weight decay becomes by a cosine over the stage; null: it stays. */
  readonly finalWeightDecay: number | null;
  /** Regular expressions: parameters whose name matches one do not decay. */
  readonly noDecay: readonly string[];
}

export interface ScheduleChoice {
  readonly kind: "cosine" | "linear" | "constant";
  /** Steps from 0 to the peak. */
  readonly warmupSteps: number;
  readonly finalLr: number;
  /** Step at which `finalLr` is reached; null: the last. */
  readonly decaySteps: number | null;
}

/** A value that moves by a cosine from `start` at step 0 to `end` at step `steps`, then stays. */
export interface Ramp {
  readonly start: number;
  readonly end: number;
  readonly steps: number;
}

export interface Best {
  /** A name of metrics.jsonl. */
  readonly metric: string;
  readonly mode: "min" | "max";
}

export interface StageBase {
  readonly steps: number;
  /** Samples of one optimizer step, all micro-batches together. */
  readonly batchSize: number;
  /** Micro-batches of one optimizer step. */
  readonly gradientAccumulationSteps: number;
  readonly optimizer: AdamWChoice;
  readonly schedule: ScheduleChoice;
  /** Largest global gradient norm; null: no clipping. */
  readonly clipNorm: number | null;
  /** Decay of the averaged weights; null: none. */
  readonly ema: number | null;
  /** Whether activations are computed again in the backward pass: less memory, about a third more time. */
  readonly recompute: boolean;
  /** Steps between lines of the log, evaluations and checkpoints; 0: only the last step. */
  readonly every: { readonly log: number; readonly eval: number; readonly save: number };
  /** Checkpoints that stay, the best not counted; null: all. */
  readonly saveTotalLimit: number | null;
  readonly best: Best | null;
}

/** A random crop, resized to the model's side. */
export interface Augmentation {
  /** Range of the crop's share of the image's area. */
  readonly scale: readonly [number, number];
  /** Range of the crop's width over its height. */
  readonly ratio: readonly [number, number];
  /** Probability of a mirrored image. */
  readonly flip: number;
}

/** Block-wise masking of patches (BEiT, arXiv:2106.08254 §2.3). */
export interface PatchMasking {
  readonly patches: number;
  readonly minBlock: number;
  /** null: `patches`. */
  readonly maxBlock: number | null;
  /** Smallest height over width of a block; the largest is its inverse. */
  readonly minAspect: number;
}

/** BERT's masking of tokens (arXiv:1810.04805 §3.1). */
export interface TokenMasking {
  readonly probability: number;
  readonly maskShare: number;
  readonly randomShare: number;
  readonly wholeWord: boolean;
}

export interface DvaeStage extends StageBase {
  readonly kind: "dvae";
  /** Side of the training crops; null: the side that gives one visual word a patch. */
  readonly imageSize: number | null;
  readonly temperature: Ramp;
  /** β of the KL term. */
  readonly kl: Ramp;
  readonly augmentation: Augmentation;
  readonly init: { readonly codebook: InitFrom };
}

export interface TextMlmStage extends StageBase {
  readonly kind: "text-mlm";
  readonly textLength: number;
  /** How sentences are packed into full rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly masking: TokenMasking;
  readonly init: { readonly text: InitFrom };
}

export interface ImageMimStage extends StageBase {
  readonly kind: "image-mim";
  readonly masking: PatchMasking;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly codebook: InitFrom };
}

export interface ImageDinoStage extends StageBase {
  readonly kind: "image-dino";
  /** What `clipNorm` is the norm of: each parameter's gradient, or all together. */
  readonly clipPer: "parameter" | "model";
  readonly globalCrops: { readonly scale: readonly [number, number] };
  readonly localCrops: { readonly count: number; readonly size: number; readonly scale: readonly [number, number] };
  /** Probabilities of the views' distortions; `blur` of global view 1, global view 2, local views. */
  readonly views: {
    readonly flip: number;
    readonly colorJitter: number;
    readonly grayscale: number;
    readonly blur: readonly [number, number, number];
    readonly solarize: number;
  };
  readonly head: {
    readonly hiddenSize: number;
    readonly bottleneckSize: number;
    readonly outputSize: number;
    readonly normLastLayer: boolean;
  };
  /** Steps in which the last layer of the head gets no gradient. */
  readonly freezeLastLayerSteps: number;
  readonly studentTemperature: number;
  /** Linear, not cosine, between its ends. */
  readonly teacherTemperature: Ramp;
  /** Cosine from the first to the second over the stage. */
  readonly teacherMomentum: readonly [number, number];
  readonly centerMomentum: number;
  readonly init: { readonly image: InitFrom };
}

export interface JointStage extends StageBase {
  readonly kind: "joint";
  /** Batch size of image-only and text-only steps; null: `batchSize`. */
  readonly imageBatchSize: number | null;
  readonly textBatchSize: number | null;
  /** Shares of the steps by kind of batch; only the ratios count. */
  readonly sampling: { readonly pairs: number; readonly images: number; readonly texts: number };
  readonly lossWeights: LossWeights;
  /** Share of pairs that get the caption of another image. */
  readonly itmNegativeRatio: number;
  /** Tokens of a caption and of an unpaired text. */
  readonly textLength: { readonly pairs: number; readonly texts: number };
  /** How unpaired sentences are packed into full rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly imageMasking: PatchMasking;
  readonly textMasking: TokenMasking;
  readonly pairMasking: TokenMasking;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom; readonly codebook: InitFrom };
}
