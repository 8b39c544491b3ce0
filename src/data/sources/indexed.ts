/** Samples that can be reached by number: the whole pass is reshuffled and sharded by index. */
import { z } from "zod";
import { permutation, random } from "../../tensor/index.ts";
import { type Bad, isBad, parseCursor, WHOLE } from "./files.ts";
import type { Order, Placed, Reading, Sample, SampleOptions } from "./source.ts";

/** Loads sample number `i`. */
export type Loader = (i: number, reading: Reading) => Sample | Bad | Promise<Sample | Bad>;

const cursorSchema = z.strictObject({ next: z.int().nonnegative() });

/** All `count` samples, those of the shard, in the order of this pass. */
export async function* indexedSamples(
  name: string,
  count: number,
  options: SampleOptions,
  load: Loader,
): AsyncGenerator<Placed> {
  const { shard = WHOLE, signal, onBad, cursor, order } = options;
  const start = cursor === undefined ? 0 : parseCursor(name, cursor, cursorSchema).next;
  const at = order === undefined ? (i: number): number => i : shuffledIndex(count, order);
  for (let i = start; i < count; i++) {
    if (i % shard.count !== shard.index) continue;
    signal?.throwIfAborted();
    const loaded = await load(at(i), { signal, note: options.note });
    if (isBad(loaded)) onBad?.({ source: name, ...loaded });
    else yield { sample: loaded, cursor: { next: i + 1 } };
  }
}

function shuffledIndex(count: number, { seed, epoch }: Order): (i: number) => number {
  const order = permutation(count, random(seed, "index-order", epoch));
  return (i) => order[i]!;
}
