/** Which groups of samples are held out. */
import { DataError } from "../../errors.ts";
import { permutation, random } from "../../tensor/index.ts";
import type { Groups } from "./groups.ts";
import type { SplitBy } from "./marks.ts";

/** The parts of a split. */
export type SplitPart = "train" | "validation" | "test";

/** How much is held out: shares of all samples. */
export interface Shares {
  readonly validation: number;
  readonly test: number;
}

/** Whose samples, which draw, and what belongs together. */
export interface Drawing {
  readonly name: string;
  readonly seed: number;
  readonly by: SplitBy;
}

/** The part of each group that is held out; all others are for training. */
export type Assignment = ReadonlyMap<number, SplitPart>;

/**
 * Draws whole groups for the held-out parts until they have about their share: a group that would be too much for a part stays in
 * training. Throws DataError where a part cannot have a sample.
 */
export function assignGroups({ of, sizes }: Groups, shares: Shares, { name, seed, by }: Drawing): Assignment {
  const groups = [...sizes.keys()];
  const order = Array.from(permutation(groups.length, random(seed, "split")), (i) => groups[i]!);
  const held = new Map<number, SplitPart>();
  for (const part of ["test", "validation"] as const) {
    const wanted = Math.round(of.length * shares[part]) || (shares[part] > 0 ? 1 : 0);
    let left = wanted;
    for (const group of order) {
      const size = sizes.get(group)!;
      if (left === 0) break;
      if (size > left || held.has(group)) continue;
      held.set(group, part);
      left -= size;
    }
    if (wanted > 0 && left === wanted) takeSmallest(sizes, held, part);
    const taken = [...held.values()].includes(part);
    if (wanted > 0 && (!taken || held.size === groups.length)) throw tooFew(name, of.length, sizes, by, part);
  }
  return held;
}

/** A part that is too small for any group gets the smallest, if that is not most of what there is. */
function takeSmallest(sizes: Groups["sizes"], held: Map<number, SplitPart>, part: SplitPart): void {
  const total = [...sizes.values()].reduce((sum, n) => sum + n, 0);
  const free = [...sizes].filter(([group]) => !held.has(group)).sort(([, a], [, b]) => a - b);
  const [smallest] = free;
  if (smallest && free.length > 1 && smallest[1] * 2 <= total) held.set(smallest[0], part);
}

const WIDER: Readonly<Record<SplitBy, string>> = {
  concept: "--by caption divides by pictures and captions alone, --by sample at random",
  caption: "--by sample divides at random",
  sample: "give more samples, or a set of your own to be measured on",
};

function tooFew(name: string, samples: number, sizes: Groups["sizes"], by: SplitBy, part: SplitPart): DataError {
  const largest = Math.max(0, ...sizes.values());
  return new DataError(
    `${name}: expected samples that can be divided by ${by} with some left for ${part}, got ${samples} samples in ${sizes.size} ${sizes.size === 1 ? "group that belongs" : "groups that belong"} together, the largest of ${largest}`,
    WIDER[samples < 3 ? "sample" : by],
  );
}
