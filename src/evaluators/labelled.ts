/** Held-out images with labels, read once and kept as encoded bytes. */
import type { Picture } from "../api/index.ts";
import type { Source } from "../data/index.ts";
import { once } from "./evaluator.ts";
import { type ReadOptions, readImages } from "./pair-set.ts";

/** An encoded picture with the name of its class. */
export interface Labelled extends Picture {
  readonly label: string;
}

/** A set that is read when first asked for. */
export type LabelledSet = () => Promise<readonly Labelled[]>;

/**
 * The first good samples of a source with a label, in a fixed order that is not that of the classes where the source can be
 * read in any. Throws DataError where there is none.
 */
export const labelledSet = (open: () => Promise<Source>, options: ReadOptions): LabelledSet =>
  once(async () =>
    readImages(
      await open(),
      { order: { seed: 0, epoch: 0 }, ...options },
      ({ key, image, label }): Labelled | string =>
        label === undefined ? "the label is missing" : { key, image, label: String(label) },
    ),
  );
