/** What every way of measuring is given, and what it gives. */
import type { Source } from "../../data/index.ts";
import type { Features } from "../probe/features.ts";
import type { Refused, StreamOptions } from "./streams.ts";

/** What was found, and what about it. */
export interface Measured {
  readonly metrics: Readonly<Record<string, number>>;
  /** More that the cell says: plain JSON. */
  readonly about: Readonly<Record<string, unknown>>;
  readonly refused: readonly Refused[];
}

/** Where features are kept, seeds, and who hears of progress. */
export interface MeasureOptions {
  readonly cacheDir?: string | undefined;
  readonly seed?: number | undefined;
  /** In retrieval: so many of the first candidates are put in order by the matching head, beside the order by dot products. */
  readonly rerank?: number | undefined;
  /** Features of a split in place of the model's. */
  readonly features?: ((source: Source, options: StreamOptions) => Promise<Features>) | undefined;
  /** Where a fine-tuning keeps its run, by the name of the folder; one that was stopped goes on. */
  readonly runDir?: string | undefined;
  /** Fine-tuning from weights that the seed draws, for comparison. */
  readonly fromScratch?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with what is being done and how far it is. */
  readonly onProgress?: ((what: string, done: number, total: number | undefined) => void) | undefined;
}
