/** Held-out images with labels, read once and kept as encoded bytes. */
import { type DataSpec, openData } from "../datasets/index.ts";
import { once, type Picture, type ReadOptions, readImages } from "./pair-set.ts";

export interface Labelled extends Picture {
  readonly label: string;
}

/** A set that is read when first asked for. */
export type LabelledSet = () => Promise<readonly Labelled[]>;

/**
 * The set of a recipe's source: its first good samples with a label, in a fixed order that is not that of the classes where
 * the source can be read in any. Throws DataError where there is none.
 */
export const labelledSet = (spec: string | DataSpec, options: ReadOptions): LabelledSet =>
  once(async () => {
    const source = await openData(spec, options.signal ? { signal: options.signal } : {});
    return readImages(
      source,
      { order: { seed: 0, epoch: 0 }, ...options },
      ({ key, image, label }): Labelled | string =>
        label === undefined ? "the label is missing" : { key, image, label: String(label) },
    );
  });
