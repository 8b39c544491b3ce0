/**
 * An endless stream of items out of a source: epoch after epoch, shuffled in blocks. A block is a run of consecutive
 * items, permuted by (seed, epoch, block number); so a saved place is the cursor where the block starts and a count, and
 * restoring it reads one block again.
 */

import { z } from "zod";
import { ConfigError, DataError, settled } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import { jsonSchema, parseCursor } from "../sources/files.ts";
import type { Cursor, Order } from "../sources/index.ts";

export interface StreamOptions<T> {
  /** Names the draws: two streams with the same seed and other names are independent. */
  readonly name: string;
  readonly seed: number;
  /** Items of one pass, from the start or from right after `cursor`. */
  open(
    order: Order | undefined,
    cursor: Cursor | undefined,
  ): AsyncIterable<{ value: T; cursor: Cursor; bytes: number }>;
  /** Items of a block. */
  readonly block: number;
  /** A block ends early when its items reach this many bytes. */
  readonly blockBytes: number;
  /** Permute blocks, and the source's files or index. */
  readonly shuffle: boolean;
  /** Passes over the source; endless unless given. */
  readonly epochs?: number | undefined;
  /** Continue right after the item that came with this state. */
  readonly state?: Json | undefined;
}

export interface Drawn<T> {
  readonly value: T;
  readonly epoch: number;
  /** Number of the item in its epoch, as drawn. (name, epoch, ordinal) names it for random draws. */
  readonly ordinal: number;
  /** The block it came with. */
  readonly block: StreamBlock<T>;
  /** Continues right after this item. */
  readonly state: Json;
}

/** A run of consecutive items that were shuffled together. */
export interface StreamBlock<T> {
  readonly epoch: number;
  /** In the order of the source. */
  readonly items: readonly T[];
  /** The block that follows; undefined after the last. It is read once, whoever asks first. */
  next(): Promise<StreamBlock<T> | undefined>;
}

export interface Stream<T> {
  /** The next item; undefined after the last epoch. Calls must not overlap. */
  next(): Promise<Drawn<T> | undefined>;
  close(): Promise<void>;
}

const stateSchema = z.strictObject({
  epoch: z.int().nonnegative(),
  /** Blocks of this epoch before this one. */
  block: z.int().nonnegative(),
  /** Items of this epoch before this block. */
  before: z.int().nonnegative(),
  /** Items of the block that are done. */
  done: z.int().nonnegative(),
  /** Where the block starts; null: at the start of the pass. */
  cursor: jsonSchema,
  /** The block size it was made with. */
  size: z.int().positive(),
});

type State = z.infer<typeof stateSchema>;

interface Block<T> extends Omit<State, "done" | "size"> {
  readonly items: readonly T[];
  readonly order: ArrayLike<number>;
}

/** A block that knows the one after it. */
interface Link<T> extends Block<T> {
  next(): Promise<Link<T> | undefined>;
}

/** Opens a stream at its start or at `state`. Throws ConfigError where the state was made with another block size. */
export function createStream<T>(options: StreamOptions<T>): Stream<T> {
  const start = restore(options);
  const reader = new BlockReader(options, start);
  const read = async (): Promise<Link<T> | undefined> => {
    const block = await reader.next();
    let following: Promise<Link<T> | undefined> | undefined;
    const follow = (): Promise<Link<T> | undefined> => {
      following ??= read();
      return following;
    };
    return block && { ...block, next: follow };
  };
  let current: Link<T> | undefined;
  let at = start.done;

  const next = async (): Promise<Drawn<T> | undefined> => {
    while (current === undefined || at >= current.items.length) {
      const following: Link<T> | undefined = await (current ? current.next() : read());
      if (following === undefined) return undefined;
      if (current !== undefined) at = 0;
      current = following;
      void settled(current.next()); // read ahead; a failure is met when the block is needed
    }
    const { epoch, block, before, cursor, items, order } = current;
    const value = items[order[at]!]!;
    const ordinal = before + at++;
    const state = { epoch, block, before, done: at, cursor, size: options.block };
    return { value, epoch, ordinal, block: current, state };
  };
  return { next, close: () => reader.close() };
}

function restore<T>({ name, state, block }: StreamOptions<T>): State {
  if (state === undefined || state === null)
    return { epoch: 0, block: 0, before: 0, done: 0, cursor: null, size: block };
  const parsed = parseCursor(name, state, stateSchema);
  if (parsed.size !== block)
    throw new ConfigError(
      `${name}: expected to resume with a shuffle buffer of ${parsed.size} samples, got ${block}`,
      "the order of the data depends on it; keep the value of the run that is resumed",
    );
  return parsed;
}

/** Reads block after block, epoch after epoch, through one open iterator. */
class BlockReader<T> {
  readonly #options: StreamOptions<T>;
  #place: Omit<State, "done" | "size">;
  #iterator: AsyncIterator<{ value: T; cursor: Cursor; bytes: number }> | undefined;
  /** Reads follow one another, whoever asks. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: StreamOptions<T>, start: State) {
    this.#options = options;
    this.#place = { epoch: start.epoch, block: start.block, before: start.before, cursor: start.cursor };
  }

  next(): Promise<Block<T> | undefined> {
    const result = this.#last.then(() => (this.#closed ? undefined : this.#read()));
    this.#last = settled(result);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#iterator?.return?.();
  }

  async #read(): Promise<Block<T> | undefined> {
    const { name, seed, block: size, epochs = Number.POSITIVE_INFINITY, shuffle } = this.#options;
    while (this.#place.epoch < epochs) {
      const { epoch, block, before, cursor } = this.#place;
      const { items, end } = await this.#take(size);
      if (items.length > 0) {
        const order = shuffle
          ? permutation(items.length, random(seed, `shuffle:${name}`, epoch, block))
          : Uint32Array.from(items, (_, i) => i);
        this.#place = { epoch, block: block + 1, before: before + items.length, cursor: end };
        return { epoch, block, before, cursor, items, order };
      }
      if (before === 0 && cursor === null)
        throw new DataError(
          `${name}: expected samples, got none in a whole pass`,
          "is the source empty, or are all of its samples bad?",
        );
      this.#iterator = undefined;
      this.#place = { epoch: epoch + 1, block: 0, before: 0, cursor: null };
    }
    return undefined;
  }

  async #take(size: number): Promise<{ items: T[]; end: Json }> {
    const { open, seed, name, shuffle, blockBytes } = this.#options;
    const { epoch, cursor } = this.#place;
    const order = shuffle ? { seed: (seed + nameSeed(name)) % 2 ** 53, epoch } : undefined;
    this.#iterator ??= open(order, cursor ?? undefined)[Symbol.asyncIterator]();
    const items: T[] = [];
    let end: Json = cursor;
    for (let bytes = 0; items.length < size && bytes < blockBytes; ) {
      const { done, value } = await this.#iterator.next();
      if (done) break;
      items.push(value.value);
      bytes += value.bytes;
      end = value.cursor;
    }
    return { items, end };
  }
}

/** Makes the file order of streams with other names independent. */
const nameSeed = (name: string): number => random(0, name).bits();
