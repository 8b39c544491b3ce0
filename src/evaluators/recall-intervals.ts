/** How far recalls could have come out otherwise on other queries of the same kind. */
import { type BootstrapOptions, bootstrapAll, type Interval } from "./metrics/index.ts";
import type { RECALLS } from "./retrieval.ts";

/** A gallery's queries: what `ranks` says of each, and what it is about. Captions of a picture have its concept. */
export interface RankedQueries {
  readonly ranks: Int32Array;
  readonly concepts: readonly string[];
}

/**
 * Bootstrap intervals of recall@k, the mean over galleries. Queries of one concept are alike, so they are drawn together; each gallery is
 * drawn from by itself.
 */
export function recallIntervals(
  galleries: readonly RankedQueries[],
  options: BootstrapOptions = {},
): Record<(typeof RECALLS)[number], Interval> {
  const groups = galleries.map(groupsOf);
  const strata = groups.map((group) => group.length);
  const all = groups.flat();
  const figure = (k: number) => {
    const hits = Float64Array.from(all, (ranks) => ranks.filter((rank) => rank < k).length);
    return (places: Int32Array): number => {
      let [first, sum] = [0, 0];
      for (const size of strata) {
        let [hit, count] = [0, 0];
        for (let i = first; i < first + size; i++) {
          hit += hits[places[i]!]!;
          count += all[places[i]!]!.length;
        }
        first += size;
        sum += hit / count;
      }
      return sum / strata.length;
    };
  };
  return bootstrapAll(all.length, { 1: figure(1), 5: figure(5), 10: figure(10) }, { ...options, strata });
}

/** The ranks of each concept's queries. */
function groupsOf({ ranks, concepts }: RankedQueries): number[][] {
  const groups = new Map<string, number[]>();
  for (const [i, concept] of concepts.entries()) {
    const own = groups.get(concept) ?? [];
    own.push(ranks[i]!);
    groups.set(concept, own);
  }
  return [...groups.values()];
}
