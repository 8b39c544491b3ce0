/** A part of a source that does not depend on its order: the same samples in every pass, on every worker. */
import { random } from "../../tensor/index.ts";
import type { SampleOptions, Source } from "./source.ts";

/** The samples whose keys fall into the first `share` (0..1) of all: those of a smaller share are among those of a larger one. */
export function sharedSource({ count: _, ...source }: Source, share: number): Source {
  return {
    ...source,
    name: `${Number((100 * share).toPrecision(3))} % of ${source.name}`,
    async *samples(options: SampleOptions = {}) {
      for await (const placed of source.samples(options))
        if (random(0, `share:${placed.sample.key}`).uniform() < share) yield placed;
    },
  };
}
