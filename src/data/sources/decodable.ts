/** A source without its damaged pictures: what `flava data` builds and counts is what training can decode. */
import { DataError, settled } from "../../errors.ts";
import { decodeImage } from "../../image/index.ts";
import type { Placed, SampleOptions, Source } from "./source.ts";

/** Pictures decoded at the same time: libvips has its own threads. */
const AHEAD = 8;

/** Samples in order, without those whose picture cannot be decoded; these are reported to `onBad` like any bad sample. */
export const decodableSource = (source: Source): Source => ({
  ...source,
  async *samples(options: SampleOptions = {}) {
    const queue: { placed: Placed; reason: Promise<string | undefined> }[] = [];
    const take = async function* (left: number): AsyncGenerator<Placed> {
      while (queue.length > left) {
        const { placed, reason } = queue.shift()!;
        const against = await reason;
        if (against === undefined) yield placed;
        else options.onBad?.({ source: source.name, key: placed.sample.key, reason: against });
      }
    };
    for await (const placed of source.samples(options)) {
      const reason = reasonAgainst(placed.sample.image, options.signal);
      void settled(reason); // met in take
      queue.push({ placed, reason });
      yield* take(AHEAD);
    }
    yield* take(0);
  },
});

/** Why a picture cannot be used; undefined where it can, or where there is none. */
async function reasonAgainst(image: Uint8Array | undefined, signal?: AbortSignal): Promise<string | undefined> {
  if (image === undefined) return undefined;
  try {
    await decodeImage(image, signal && { signal });
    return undefined;
  } catch (error) {
    if (error instanceof DataError) return error.message.split("\n")[0]!.replace(/^decodeImage: /, "");
    throw error;
  }
}
