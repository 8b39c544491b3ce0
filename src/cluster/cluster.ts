/** Workers that train together, and what they tell each other. Every worker makes the same calls in the same order. */
import type { DType } from "../tensor/index.ts";

/** The numbers that workers exchange. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Memory of an engine. It stays allocated until the call has settled. */
export interface NativeMemory {
  readonly dtype: Extract<DType, "float32" | "float64" | "int32" | "uint8">;
  /** Elements. */
  readonly length: number;
  readonly address: bigint;
}

/** What is read and overwritten: an array, or memory where it lies. */
export type Memory = Numbers | NativeMemory;

/** A sum that travels while its worker computes. */
export interface UnderWay {
  /** Resolves when the memory holds the result. Called once for each, in the order in which they were begun. */
  arrive(): Promise<void>;
}

/** Several of them, as they were begun. */
export const inOrder = (all: readonly UnderWay[]): UnderWay => ({
  async arrive() {
    for (const one of all) await one.arrive();
  },
});

/**
 * One of `size` workers. A call resolves when the memory holds its result; until then nothing else may touch that memory. Sums are taken in
 * an order that depends on ranks and sizes alone, so the same numbers give the same bits on all workers, time after time.
 */
export interface Cluster extends AsyncDisposable {
  /** What moves the numbers, for logs. */
  readonly description: string;
  /** 0 to size − 1. */
  readonly rank: number;
  readonly size: number;
  /** Whether memory may be given by its address. */
  readonly takesAddresses: boolean;
  /** `all` holds `size` equal parts, of which each worker has filled the one of its rank, or has it in `own`; afterwards it holds them all. */
  allGather(all: Memory, own?: Memory): Promise<void>;
  /** Adds up `all` of every worker; `own` becomes the part of this rank, and `all` is undefined afterwards. */
  reduceScatter(all: Memory, own: Memory): Promise<void>;
  /** `all` becomes the sum over workers. */
  allReduce(all: Memory): Promise<void>;
  /** As `reduceScatter` and `allReduce`, beside other work: they take hardly any of the processors before they are waited for. */
  beginReduceScatter(all: Memory, own: Memory): UnderWay;
  beginAllReduce(all: Memory): UnderWay;
  /** `all` becomes that of worker `root`. */
  broadcast(all: Memory, root: number): Promise<void>;
  /** Resolves when every worker has come here. */
  barrier(): Promise<void>;
  /** Ends the whole job at once, every worker of it. */
  abort(): void;
  /** Every worker has done its part. */
  close(): Promise<void>;
}
