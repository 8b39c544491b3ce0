/** What goes into a batch and what is made of it, as plain data that travels to worker threads. */

import type { BlockMaskOptions, DinoOptions, FlavaImageOptions, Pixels, RandomCropOptions } from "../../image/index.ts";
import type { MaskOptions } from "../../text/index.ts";
import type { Objects, Regions } from "../sources/objects.ts";
import type { Field, Rows } from "./rows.ts";

/** Names a sample for random draws: `random(seed, "what:" + stream, epoch, ordinal)`. */
export interface DrawKey {
  readonly seed: number;
  readonly stream: string;
  readonly epoch: number;
  /** Number of the sample in its epoch, as drawn. */
  readonly ordinal: number;
}

/** One sample on its way into a batch. */
export interface BatchItem {
  readonly key: string;
  readonly draw: DrawKey;
  /** Decoded already; else `image` is decoded first. */
  readonly pixels?: Pixels | undefined;
  readonly image?: Uint8Array | undefined;
  readonly text?: string | undefined;
  /** A row of T ids that was packed before. */
  readonly ids?: Int32Array | undefined;
  /** The caption that replaces the sample's own in a negative pair. */
  readonly negative?: string | undefined;
  readonly label?: string | number | undefined;
  /** What a detector saw in it, and its names for it; and another picture's names, in a pair with wrong ones. */
  readonly regions?: Regions | undefined;
  readonly objects?: Objects | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly otherTags?: readonly string[] | undefined;
  /** The second text of a task on pairs of them. */
  readonly second?: string | undefined;
}

export interface ImageBuild {
  /** Side of `pixel_values`. */
  readonly size: number;
  /** Side of `codebook_pixel_values`; 0: the batch has none. */
  readonly codebookSize: number;
  /** Random crop and flip of training; null: the whole picture, for evaluation. */
  readonly augment: { readonly crop?: RandomCropOptions | undefined; readonly flip?: number | undefined } | null;
  /** How a whole picture is prepared, where that is not as published. */
  readonly whole?: FlavaImageOptions | undefined;
  /** Patches to mask; its `total` is Kp. null: no masks in the batch. */
  readonly mask: BlockMaskOptions | null;
  /**
   * Adds `labels` int32 (B): true, the samples' own whole numbers; or the names of the classes, whose places in the list are
   * the numbers. Give the list of the training set to every set.
   */
  readonly labels?: boolean | readonly string[] | undefined;
}

export interface TextBuild {
  /** T, specials included. */
  readonly length: number;
  /** Token masking; its `maxTargets` is Kt. null: only `input_ids` and `attention_mask`. */
  readonly mask: (MaskOptions & { readonly maxTargets: number }) | null;
  /** Adds the fields of prefix language modelling. */
  readonly prefix?: PrefixBuild | undefined;
}

/** How a text is cut in two. */
export interface PrefixBuild {
  /** The fewest tokens that are read before the first that is predicted, where the text has more. */
  readonly least: number;
}

/** Regions of a detector, or of a grid. */
export interface RegionBuild {
  /** R: the first so many of a picture are read. */
  readonly most: number;
  /** Numbers of a feature. */
  readonly features: number;
  /** Numbers of a box: corners; corners and area; or corners, width and height. */
  readonly box: 4 | 5 | 6;
  /** Whether the mean of all regions comes first. */
  readonly mean: boolean;
  /** Share of the regions to be predicted; null: none. */
  readonly masked: number | null;
  /** How many classes' probabilities are read; 0: none. */
  readonly classes: number;
  /** Sines, and cosines, of each number of a box, where they are asked for. */
  readonly waves?: number | undefined;
  /** Cells along a side of pictures whose regions nobody detected; null: such a picture is a bad sample. */
  readonly grid: number | null;
}

/** The boxes of pictures, which are read whole. */
export interface ObjectBuild {
  /** N: the most objects in a picture. */
  readonly most: number;
  readonly classes: number;
}

/** What a task reads, and what it learns of it. */
export interface TaskBuild {
  readonly image?: Pick<ImageBuild, "size" | "whole" | "augment"> | undefined;
  readonly text?: { readonly length: number; readonly pairs: boolean } | undefined;
  /** Absent: nothing, for predictions. */
  readonly target?: TaskTarget | undefined;
}

/** Classes by name: `labels` int32 (B). A number: `targets` (B). Answers of some worth, as "answer:score …": `scores` (B, C). */
export type TaskTarget =
  | { readonly kind: "classes"; readonly names: readonly string[] }
  | { readonly kind: "number"; readonly mean: number; readonly scale: number }
  | { readonly kind: "answers"; readonly count: number };

/** What a batch is made of. Plain data: it travels to worker threads and into checkpoints. */
export type BatchBuild =
  | { readonly kind: "image"; readonly image: ImageBuild }
  | { readonly kind: "text"; readonly text: TextBuild }
  | { readonly kind: "pair"; readonly image: ImageBuild; readonly text: TextBuild }
  | {
      readonly kind: "regions";
      readonly regions: RegionBuild;
      readonly text: TextBuild;
      /** Whether object tags follow the caption. */
      readonly tags: boolean;
    }
  | { readonly kind: "objects"; readonly image: ImageBuild; readonly objects: ObjectBuild }
  | { readonly kind: "task"; readonly task: TaskBuild }
  | { readonly kind: "dino"; readonly dino: DinoOptions }
  | {
      readonly kind: "dvae";
      /** Side of `codebook_pixel_values`. */
      readonly size: number;
      readonly augment: ImageBuild["augment"];
    };
export type BatchKind = BatchBuild["kind"];

/** Fills the part of row `row` in every array. Throws DataError where the sample is bad. */
export type Encode = (item: BatchItem, pixels: Pixels | undefined, rows: Rows, row: number) => void;

/** Fields that are filled together. */
export interface Part {
  readonly fields: readonly Field[];
  readonly encode: Encode;
}
