/**
 * One data set's way from samples to batches. A batch is the next `count` places of the stream, and what fills a place depends on that
 * place alone: not on how the work is cut, on who does it, or on what becomes of other places.
 */

import { DataError, settled } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type BatchItem, type Field, joinRows, type Rows } from "../batch/index.ts";
import type { BadSample, Shard, Source } from "../sources/index.ts";
import type { Task } from "./encode.ts";
import type { Executor } from "./executor.ts";
import type { PixelCache } from "./pixel-cache.ts";

/** A place in the stream of a data set: one row of a batch. */
export interface Slot {
  readonly source: Source;
  /** The source's name in reports. */
  readonly called: string;
  /** Continues right after this place. */
  readonly state: Json;
  /** The sample of this place, then those that stand in for it: another one is asked for where the one before was bad. */
  candidates(): AsyncIterator<BatchItem, undefined>;
}

export interface PipelineOptions {
  readonly name: string;
  readonly build: string;
  readonly fields: readonly Field[];
  readonly executor: Executor;
  /** The next place; undefined at the end. */
  next(): Promise<Slot | undefined>;
  /** What becomes of the place of a bad sample: another sample takes it, or the batch is a row shorter. */
  readonly bad: "replace" | "leave out";
  /** Only these rows of every batch are made. Default: all. */
  readonly shard?: Shard | undefined;
  readonly pixels?: PixelCache | undefined;
  readonly maxPixels?: number | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

export interface Taken {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly samples: readonly string[];
  /** Continues right after the batch, rows of other workers included; undefined where no place was left. */
  readonly state: Json | undefined;
  /** The data ended before the batch was full. */
  readonly ended: boolean;
}

/** A row that was made: where it lies, and of which sample. */
interface Row {
  readonly key: string;
  readonly rows: Rows;
  readonly at: number;
}

/** What became of some places: their rows, and the bad samples met on the way. */
interface Made {
  readonly rows: readonly Row[];
  readonly bad: readonly BadSample[];
  /** A place that nothing could fill. */
  readonly failure: DataError | undefined;
}

/** Places of a piece of work: small enough to share a batch among threads. */
const MAX_CHUNK = 32;

export class Pipeline {
  readonly #options: PipelineOptions;
  /** Draws follow one another; after one that failed, all fail. */
  #drawing: Promise<unknown> = Promise.resolve();

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** The rows of the next `count` places; fewer at the end of the data. Work for them starts at once, after that of earlier calls. */
  take(count: number): Promise<Taken> {
    const drawn = this.#drawing.then(() => this.#draw(count));
    this.#drawing = drawn;
    void settled(drawn);
    return drawn.then(async ({ pieces, ...place }) => ({ ...this.#join(await Promise.all(pieces)), ...place }));
  }

  /** Draws all places of a batch, and gives out the work for its own rows. */
  async #draw(count: number): Promise<{ pieces: Promise<Made>[]; state: Json | undefined; ended: boolean }> {
    const { next, executor, shard = { index: 0, count: 1 } } = this.#options;
    const own = count / shard.count;
    const size = executor.size === 1 ? own : Math.min(MAX_CHUNK, Math.ceil(own / executor.size));
    const pieces: Promise<Made>[] = [];
    let slots: Slot[] = [];
    const flush = (): void => {
      if (slots.length === 0) return;
      const piece = this.#make(slots);
      void settled(piece);
      pieces.push(piece);
      slots = [];
    };
    let state: Json | undefined;
    for (let i = 0; i < count; i++) {
      const slot = await next();
      if (slot === undefined) {
        flush();
        return { pieces, state, ended: true };
      }
      state = slot.state;
      if (Math.floor(i / own) === shard.index) slots.push(slot);
      if (slots.length === size) flush();
    }
    flush();
    return { pieces, state, ended: false };
  }

  /** Makes the rows of some places, and where samples are bad, those of the samples that stand in for them. */
  async #make(slots: readonly Slot[]): Promise<Made> {
    const rows: (Row | undefined)[] = slots.map(() => undefined);
    const bad: BadSample[] = [];
    let open = slots.map((slot, row) => ({
      row,
      source: slot.source,
      called: slot.called,
      candidates: slot.candidates(),
    }));
    while (open.length > 0) {
      const drawn = await Promise.all(
        open.map(async (place) => ({ ...place, item: (await place.candidates.next()).value })),
      );
      const tried = drawn.filter((place): place is Tried => place.item !== undefined);
      if (tried.length < open.length) return { rows: [], bad, failure: this.#failure(bad) };
      const result = await this.#encode(tried);
      for (const [at, index] of result.good.entries()) {
        const { row, item } = tried[index]!;
        rows[row] = { key: item.key, rows: result.rows, at };
      }
      for (const { index, reason } of result.bad)
        bad.push({ source: tried[index]!.called, key: tried[index]!.item.key, reason });
      open = this.#options.bad === "replace" ? result.bad.map(({ index }) => tried[index]!) : [];
    }
    return { rows: rows.filter((row) => row !== undefined), bad, failure: undefined };
  }

  async #encode(tried: readonly Tried[]): ReturnType<Executor["run"]> {
    const { executor, build, pixels, maxPixels } = this.#options;
    const items = tried.map(({ source, item }) => {
      const known = item.image && pixels?.get(source, item.key, item.image);
      return known ? { ...item, pixels: known, image: undefined } : item;
    });
    const task: Task = { build, maxPixels, keepPixels: pixels !== undefined && !pixels.isFull, items };
    const result = await executor.run(task);
    for (const [index, picture] of result.pixels.entries()) {
      const { source, item } = tried[index]!;
      if (picture && item.image) pixels?.put(source, item.key, item.image, picture);
    }
    return result;
  }

  /** Tells of bad samples, in the order of the rows, and joins the rows. */
  #join(made: readonly Made[]): Pick<Taken, "tensors" | "samples"> {
    for (const bad of made.flatMap((piece) => piece.bad)) this.#options.onBad?.(bad);
    for (const { failure } of made) if (failure) throw failure;
    const rows = made.flatMap((piece) => piece.rows);
    return { tensors: joinRows(this.#options.fields, runsOf(rows)), samples: rows.map(({ key }) => key) };
  }

  #failure(bad: readonly BadSample[]): DataError {
    return new DataError(
      `${this.#options.name}: expected usable samples, got ${bad.length} bad ones in a row, the last: ${bad.at(-1)?.reason}`,
      "the list of bad samples names them all",
    );
  }
}

interface Tried {
  readonly row: number;
  readonly source: Source;
  readonly called: string;
  readonly candidates: ReturnType<Slot["candidates"]>;
  readonly item: BatchItem;
}

/** Rows that lie one behind another, as one piece each. */
function runsOf(list: readonly Row[]): { rows: Rows; from: number; to: number }[] {
  const runs: { rows: Rows; from: number; to: number }[] = [];
  for (const { rows, at } of list) {
    const last = runs.at(-1);
    if (last?.rows === rows && last.to === at) last.to++;
    else runs.push({ rows, from: at, to: at + 1 });
  }
  return runs;
}
