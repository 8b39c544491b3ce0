/** Names that change by their beginnings and by parts inside. */

/** Pairs of ours and theirs. */
export type Pairs = readonly (readonly [ours: string, theirs: string])[];

/** The name with the beginning of the other side; undefined where no pair fits. */
export function swapStart(name: string, pairs: Pairs, from: 0 | 1): string | undefined {
  for (const pair of pairs) if (name.startsWith(pair[from])) return `${pair[1 - from]}${name.slice(pair[from].length)}`;
  return undefined;
}
