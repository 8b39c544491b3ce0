/** Splits of labelled data in which what belongs together is in one part. */

import { random } from "../../tensor/index.ts";

/** Items by what they are for. */
export interface Parts<T> {
  readonly train: readonly T[];
  readonly validation: readonly T[];
  readonly test: readonly T[];
}

/**
 * What shares a key, at once or by way of others, stays together: groups go, in an order drawn by their first item's place, into the test as long
 * as there is room, then into the validation part, the others into the training part. Shares are of all items, which keep their order.
 */
export function splitTogether<T>(
  items: readonly { readonly item: T; readonly keys: readonly string[] }[],
  shares: { readonly test: number; readonly validation: number },
): Parts<T> {
  const roots = groupsOf(items.map(({ keys }) => keys));
  const sizes = new Map<number, number>();
  for (const root of roots) sizes.set(root, (sizes.get(root) ?? 0) + 1);
  const room = {
    test: Math.floor(items.length * shares.test),
    validation: Math.floor(items.length * shares.validation),
  };
  const drawn = (root: number): number => random(1, "starter-together", root).bits();
  const place = new Map<number, keyof Parts<T>>();
  for (const [root, size] of [...sizes].sort(([a], [b]) => drawn(a) - drawn(b))) {
    const part = (["test", "validation"] as const).find((name) => size <= room[name]);
    if (part) room[part] -= size;
    place.set(root, part ?? "train");
  }
  const of = (part: keyof Parts<T>): T[] =>
    items.flatMap(({ item }, i) => (place.get(roots[i]!) === part ? [item] : []));
  return { train: of("train"), validation: of("validation"), test: of("test") };
}

/** For each item the number of the first one of its group: items that share a key are of one group. */
function groupsOf(keys: readonly (readonly string[])[]): number[] {
  const parent = keys.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  const first = new Map<string, number>();
  for (const [i, own] of keys.entries())
    for (const key of own) {
      const earlier = first.get(key);
      if (earlier === undefined) first.set(key, i);
      else {
        const [a, b] = [root(i), root(earlier)];
        parent[Math.max(a, b)] = Math.min(a, b);
      }
    }
  return parent.map((_, i) => root(i));
}
