/** What every data source is: an async iterable of samples with a cursor that can be saved and restored. */
import type { HttpOptions, Json } from "../../io/index.ts";
import type { Fingerprint } from "./fingerprint.ts";
import type { Objects, Regions } from "./objects.ts";

/** One sample: bytes, not pixels. Decoding is the last step before the batch. */
export interface Sample {
  /** Unique within its source, and the same in every pass; named in logs and in the list of bad samples. */
  readonly key: string;
  /** The encoded image (PNG, JPEG, WebP, …), if there is one. */
  readonly image?: Uint8Array;
  /** Captions or text; the first is the default caption. */
  readonly texts?: readonly string[];
  readonly label?: string | number;
  /** What a detector saw in it. */
  readonly regions?: Regions;
  /** What people say is in it, and where. */
  readonly objects?: Objects;
  readonly meta?: Readonly<Record<string, string | number | boolean>>;
}

/** A place in a source: plain JSON, saved in checkpoints. */
export type Cursor = Json;

/** A sample that was left out, and why; or, where `kept`, something that was ignored without losing a sample. */
export interface BadSample {
  readonly source: string;
  readonly key: string;
  readonly reason: string;
  /** No sample was lost: the sample is used without what the reason names, or a file is no part of any sample. */
  readonly kept?: true;
}

/** One part of a source: the parts 0..count−1 are disjoint and together are the whole. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The key of a reshuffled pass: a source with many files or an index visits them in an order drawn from it. */
export interface Order {
  readonly seed: number;
  readonly epoch: number;
}

/** How bytes are read: when to give up, and whom to notify about a slow server. */
export type Reading = Pick<HttpOptions, "signal" | "note">;

/** Every option that shapes the order must be given again when a cursor is restored. */
export interface SampleOptions extends Reading {
  /** Start right after the sample that came with this cursor. The shard must be the one it was taken with. */
  readonly cursor?: Cursor | undefined;
  readonly shard?: Shard | undefined;
  /** Absent: the order on disk. */
  readonly order?: Order | undefined;
  /** Called for every sample that is left out, and for everything else that is ignored. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A sample with the cursor that continues right after it. */
export interface Placed {
  readonly sample: Sample;
  readonly cursor: Cursor;
}

/** first: the first text. any: one of the texts. tags: `meta.name` with a random part of `meta.tags` (the starter data). */
export type CaptionMode = "first" | "any" | "tags";

export interface Source {
  readonly name: string;
  /** How captions are meant to be drawn in training. Default any. */
  readonly captions?: CaptionMode;
  /** Records of one pass over all shards, bad ones included, where that is known without reading them. */
  readonly count?: number;
  /** What its files are now, for a later run to compare; absent where there are none. Pictures that a table names are not asked. */
  fingerprint?(): Promise<Fingerprint>;
  /** All samples of one pass, from the start or from right after `cursor`. Throws DataError where the source itself is bad. */
  samples(options?: SampleOptions): AsyncIterable<Placed>;
}
