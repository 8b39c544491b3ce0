/** Splits of data that have none: the same ones each time. */
import { permutation, random } from "../../tensor/index.ts";
import { type Drawn, SPLITS, type SplitName } from "../schema.ts";
import type { Item } from "./layout.ts";

/**
 * The items of a part. Of each class, or of all, the first go to train, the next to validation, the next to test: in the order of their
 * names, or in one drawn by a seed. Items keep their order.
 */
export function drawnItems(items: readonly Item[], { of, order, parts }: Drawn, split: SplitName): Item[] {
  const groups = new Map<string | number | undefined, Item[]>();
  for (const item of items) {
    const group = of === "class" ? item.label : "";
    const members = groups.get(group) ?? [];
    members.push(item);
    groups.set(group, members);
  }
  const chosen = new Set<Item>();
  for (const [number, members] of [...groups.values()].entries()) {
    const sorted = [...members].sort((a, b) => (a.key < b.key ? -1 : 1));
    const shuffled = order === "names" ? sorted : inDrawnOrder(sorted, number);
    let from = 0;
    for (const name of SPLITS) {
      const count = countOf(parts[name], shuffled.length, from);
      if (name === split) for (const item of shuffled.slice(from, from + count)) chosen.add(item);
      from += count;
    }
  }
  return items.filter((item) => chosen.has(item));
}

const inDrawnOrder = (items: readonly Item[], group: number): Item[] =>
  Array.from(permutation(items.length, random(0, "task-split", group)), (i) => items[i]!);

/** A number of items, a share of all below 1, or what is left. */
function countOf(part: number | "rest" | undefined, all: number, from: number): number {
  if (part === undefined) return 0;
  if (part === "rest") return all - from;
  return Math.min(all - from, part < 1 ? Math.round(part * all) : part);
}
