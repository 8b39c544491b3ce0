/**
 * One data set's way from items to batches: items are drawn in order, made into rows by an executor in pieces, and the
 * good rows are dealt out to batches in the same order. How the work is cut and where it is done leaves no trace.
 */
import { DataError } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type BatchItem, type Field, joinRows } from "../batch/index.ts";
import type { BadSample, JsonValue, Source } from "../sources/index.ts";
import type { Task, TaskResult } from "./encode.ts";
import type { Executor } from "./executor.ts";
import type { PixelCache } from "./pixel-cache.ts";

/** An item with what the main thread needs to know of it. */
export interface PipelineItem {
  readonly item: BatchItem;
  readonly source: Source;
  readonly state: JsonValue;
}

export interface PipelineOptions {
  readonly name: string;
  readonly build: string;
  readonly fields: readonly Field[];
  readonly executor: Executor;
  /** The next item; undefined at the end. */
  next(): Promise<PipelineItem | undefined>;
  readonly pixels?: PixelCache | undefined;
  readonly maxPixels?: number | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

export interface Taken {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly samples: readonly string[];
  /** Continues right after the last row; undefined where there is no row. */
  readonly state: JsonValue | undefined;
}

/** A piece of work with the items it was made of. */
interface Chunk {
  readonly items: readonly PipelineItem[];
  readonly result: TaskResult;
}

/** Rows of a chunk that no batch has taken yet. */
interface Open extends Chunk {
  from: number;
}

/** Samples of a piece of work: small enough to share a batch among threads. */
const MAX_CHUNK = 32;
/** Bad samples in a row, without a good one, after which the data set counts as bad. */
const MAX_BAD_RUN = 100_000;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #queue: Promise<Chunk>[] = [];
  #open: Open | undefined;
  /** Draws follow one another; so do batches. */
  #drawing: Promise<void> = Promise.resolve();
  #taking: Promise<unknown> = Promise.resolve();
  /** Draws that are not done. */
  #draws = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  /** Resolves when a piece of work was given out or a draw is done. */
  #change: Promise<void>;
  #changed!: () => void;
  #badRun: { count: number; epoch: number } = { count: 0, epoch: -1 };

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#change = this.#nextChange();
  }

  /** The next `count` good rows; fewer at the end of the data. Work for it starts at once, after that of earlier calls. */
  take(count: number): Promise<Taken> {
    this.#schedule(count);
    const taken = this.#taking.then(() => this.#assemble(count));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  #schedule(count: number): void {
    this.#draws++;
    this.#drawing = this.#drawing
      .then(() => this.#draw(count))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#draws--;
        this.#notify();
      });
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #notify(): void {
    this.#changed();
    this.#change = this.#nextChange();
  }

  async #draw(count: number): Promise<void> {
    const { next, executor } = this.#options;
    const size = executor.size === 1 ? count : Math.min(MAX_CHUNK, Math.ceil(count / executor.size));
    for (let left = count; left > 0 && !this.#ended && !this.#failure; ) {
      const items: PipelineItem[] = [];
      while (items.length < Math.min(size, left)) {
        const item = await next();
        if (item === undefined) {
          this.#ended = true;
          break;
        }
        items.push(item);
      }
      left -= items.length;
      if (items.length > 0) this.#submit(items);
    }
  }

  #submit(items: readonly PipelineItem[]): void {
    const { executor, build, pixels, maxPixels } = this.#options;
    const task: Task = {
      build,
      maxPixels,
      keepPixels: pixels !== undefined && !pixels.isFull,
      items: items.map((each) => {
        const known = pixels?.get(each.source, each.item.key);
        return known ? { ...each.item, pixels: known, image: undefined } : each.item;
      }),
    };
    const chunk = executor.run(task).then((result) => ({ items, result }));
    chunk.catch(() => undefined); // met in #assemble
    this.#queue.push(chunk);
    this.#notify();
  }

  async #assemble(count: number): Promise<Taken> {
    const pieces: { rows: TaskResult["rows"]; from: number; to: number }[] = [];
    const samples: string[] = [];
    let state: JsonValue | undefined;
    while (samples.length < count) {
      const open = await this.#current(count - samples.length);
      if (open === undefined) break;
      const { items, result, from } = open;
      const to = Math.min(result.good.length, from + count - samples.length);
      const rows = result.good.slice(from, to).map((index) => items[index]!);
      for (const { item } of rows) samples.push(item.key);
      if (to > from) {
        state = rows.at(-1)!.state;
        pieces.push({ rows: result.rows, from, to });
      }
      open.from = to;
    }
    return { tensors: joinRows(this.#options.fields, pieces), samples, state };
  }

  /** The chunk to take rows from; draws more where bad samples left too few. */
  async #current(missing: number): Promise<Open | undefined> {
    while (this.#open === undefined || this.#open.from >= this.#open.result.good.length) {
      if (this.#queue.length === 0) {
        if (this.#failure) throw this.#failure.error;
        if (this.#ended) return undefined;
        if (this.#draws === 0) this.#schedule(missing);
        await this.#change;
        continue;
      }
      const chunk = await this.#queue[0]!;
      this.#queue.shift();
      this.#open = { ...chunk, from: 0 };
      this.#report(chunk);
    }
    return this.#open;
  }

  /** Tells of bad samples and keeps pictures. */
  #report({ items, result }: Chunk): void {
    const { onBad, pixels } = this.#options;
    for (const { index, reason } of result.bad) {
      const { item, source } = items[index]!;
      onBad?.({ source: source.name, key: item.key, reason });
      this.#countBad(item, reason);
    }
    if (result.good.length > 0) this.#badRun = { count: 0, epoch: items.at(-1)!.item.draw.epoch };
    for (const [index, picture] of result.pixels.entries())
      if (picture) pixels?.put(items[index]!.source, items[index]!.item.key, picture);
  }

  #countBad({ draw }: BatchItem, reason: string): void {
    const run = this.#badRun;
    if (run.epoch < 0) run.epoch = draw.epoch;
    run.count++;
    if (draw.epoch > run.epoch + 1 || run.count > MAX_BAD_RUN)
      throw new DataError(
        `${this.#options.name}: expected usable samples, got ${run.count} bad ones in a row, the last: ${reason}`,
        "the list of bad samples names them all",
      );
  }
}
