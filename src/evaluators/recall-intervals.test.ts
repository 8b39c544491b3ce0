import { describe, expect, it } from "vitest";
import { random } from "../tensor/index.ts";
import { type RankedQueries, recallIntervals } from "./recall-intervals.ts";

/** Two galleries: pictures with one to three captions each, ranks between 0 and 12. */
const galleries = [5, 9].map((pictures, g): RankedQueries => {
  const rng = random(3, "galleries", g);
  const concepts = Array.from({ length: pictures }, (_, p) => Array(1 + (p % 3)).fill(`picture ${p}`)).flat();
  return { concepts, ranks: Int32Array.from(concepts, () => rng.integer(12)) };
});

/** Draws pictures, takes all captions of each, and sorts what comes out. */
function naive(k: number, seed: number, resamples: number): [number, number] {
  const found = Array.from({ length: resamples }, (_, r) => {
    const rng = random(seed, "bootstrap", r);
    const means = galleries.map(({ concepts, ranks }) => {
      const names = [...new Set(concepts)];
      const drawn = names.map(() => names[rng.integer(names.length)]!);
      const own = drawn.flatMap((name) => [...ranks].filter((_, i) => concepts[i] === name));
      return own.filter((rank) => rank < k).length / own.length;
    });
    return means.reduce((sum, mean) => sum + mean, 0) / means.length;
  }).sort((a, b) => a - b);
  const at = (q: number): number => {
    const place = q * (resamples - 1);
    const low = Math.floor(place);
    return found[low]! + (found[Math.min(low + 1, resamples - 1)]! - found[low]!) * (place - low);
  };
  return [at(0.025), at(0.975)];
}

describe("recallIntervals", () => {
  it("is what a naive bootstrap finds that draws pictures with all their captions, each gallery by itself", () => {
    const found = recallIntervals(galleries, { seed: 7, resamples: 200 });
    for (const k of [1, 5, 10] as const) {
      const [low, high] = naive(k, 7, 200);
      expect(found[k]).toMatchObject({ low: expect.closeTo(low, 12), high: expect.closeTo(high, 12), undefined: 0 });
    }
    expect(recallIntervals(galleries, { seed: 7, resamples: 200 })).toEqual(found);
    expect(recallIntervals(galleries, { seed: 8, resamples: 200 })).not.toEqual(found);
  });

  it("is wider where a picture's captions are alike than if they were apart", () => {
    const ranks = Int32Array.from({ length: 100 }, (_, i) => (Math.floor(i / 5) % 2 === 0 ? 0 : 20));
    const width = (concept: (i: number) => string): number => {
      const concepts = [...ranks.keys()].map(concept);
      const { low, high } = recallIntervals([{ ranks, concepts }])[1];
      return high - low;
    };
    expect(width((i) => String(Math.floor(i / 5))) / width(String)).toBeGreaterThan(1.5);
  });

  it("has no width where there is one concept", () => {
    const one = { ranks: Int32Array.of(0, 3), concepts: ["a", "a"] };
    expect(recallIntervals([one])[1]).toEqual({ low: 0.5, high: 0.5, undefined: 0 });
  });
});
