/** What every layout of a data set on disk answers: whether a folder is of it, and which samples its splits have. */
import type { Reading, Source } from "../../data/index.ts";
import type { Task } from "../schema.ts";

/** A folder that is asked. */
export interface Place {
  readonly task: Task;
  /** The folder of the task's data. */
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
}

/** One sample of a list. */
export interface Item {
  /** Unique within the task. */
  readonly key: string;
  /** Where its label stands, for messages, where that is not the key. */
  readonly labelAt?: string | undefined;
  /** A class by its name or its number in the task's order, a target, or none in a test set. */
  readonly label?: string | number | undefined;
  readonly texts?: readonly string[] | undefined;
  readonly meta?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Where its picture is, below the root; absent: `load` knows, or it has none. */
  readonly path?: string | undefined;
  /** Its number in the file that holds all of them. */
  readonly at?: number | undefined;
  /** Why it cannot be used: it is counted and left out. */
  readonly refused?: string | undefined;
}

/** The samples of a split. */
export interface Listing {
  readonly items: readonly Item[];
  /** The files that it was read from: with those of the pictures they tell whether the data changed. */
  readonly files: readonly string[];
  /** The encoded picture of an item that has no path, or why it cannot be read; undefined where it has none. */
  load?(item: Item, reading: Reading): Promise<Uint8Array | string | undefined>;
}

/** The name of a split whose samples are all that there are: for data without splits of their own. */
export const WHOLE = "whole";

/** A layout. */
export interface LayoutReader {
  /** What lies in such a folder, for people. */
  readonly looks: string;
  /** Whether a folder is of this layout. Looks at names alone. */
  isThere(place: Place): Promise<boolean>;
  /**
   * A split by the name that the data have for it, or all samples by `WHOLE`; undefined where there is none of that name.
   * Throws DataError, FileError.
   */
  split(place: Place, name: string): Promise<Listing | Source | undefined>;
}

/** What data sets call the same thing; a layout looks for the task's own name first. */
const SAME_SPLIT: readonly (readonly string[])[] = [
  ["train", "training", "Training", "Train", "trainval"],
  ["val", "valid", "validation", "Validation", "dev"],
  ["test", "testing", "Testing", "Test"],
];

/** A split's name, then what else it may be called. */
export const splitNames = (name: string): string[] => [
  ...new Set([name, ...(SAME_SPLIT.find((names) => names.includes(name)) ?? [])]),
];
