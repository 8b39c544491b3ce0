/** When the values of a cut step are computed: by which of its programs, and between which of them the collectives come. */
import type { Op } from "../../primitives.ts";
import type { Value } from "../../value.ts";

/** A value that needs what other parts have. */
export type Collective = Value<"allGather"> | Value<"reduceScatter"> | Value<"allReduce">;
const COLLECTIVES: ReadonlySet<Op> = new Set<Op>(["allGather", "reduceScatter", "allReduce"]);
export const isCollective = (v: Value): v is Collective => COLLECTIVES.has(v.op);

/** What costs so much that it is not computed twice; everything between two of them is little work. */
export const COSTLY: ReadonlySet<Op> = new Set<Op>(["matmul", "conv2d"]);

/** The ends of a step, and everything behind them, operands first. */
interface Unscheduled {
  readonly nodes: readonly Value[];
  readonly ofPart: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
  readonly updates: Readonly<Record<string, Value>>;
  readonly sums: Readonly<Record<string, Value>>;
}

export interface Schedule {
  /** How many programs run for each part. */
  readonly count: number;
  /** Which of them first has what the value needs: 0 where it needs no collective. */
  readonly level: ReadonlyMap<Value, number>;
  /** After which of them each collective comes. */
  readonly after: ReadonlyMap<Collective, number>;
  /** Which of them gives each result of a part. */
  readonly resultIn: ReadonlyMap<Value, number>;
  /** Values that each of them computes, beside those that it is given. */
  readonly computed: readonly ReadonlySet<Value>[];
}

/** Collectives as late as their first reader allows; results of a part where they add least. */
export function schedule({ nodes, ofPart, outputs, updates, sums }: Unscheduled): Schedule {
  const ends = [outputs, updates, sums].flatMap((values) => Object.values(values)); // sums are read outside of the programs too
  const results = Object.values(ofPart);
  const depth = new Map<Value, number>();
  for (const v of nodes) depth.set(v, Math.max(0, ...v.inputs.map((x) => depth.get(x)!)) + (isCollective(v) ? 1 : 0));
  const count = Math.max(...ends.map((v) => depth.get(v)!), ...results.map((v) => depth.get(v)! + 1));
  const needed = latest(
    nodes,
    new Map([...results.map((v) => [v, count - 1] as const), ...ends.map((v) => [v, count] as const)]),
  );
  const level = new Map<Value, number>();
  for (const v of nodes)
    level.set(v, isCollective(v) ? needed.get(v)! : Math.max(0, ...v.inputs.map((x) => level.get(x)!)));

  const collectives = nodes.filter(isCollective);
  const computed = Array.from({ length: count }, (_, i) =>
    behind(collectives.filter((c) => needed.get(c) === i + 1).map(operand)),
  );
  const resultIn = new Map(results.map((v) => [v, cheapest(v, level.get(v)!, computed)] as const));
  for (const [v, i] of resultIn) for (const x of behind([v])) (computed[i] as Set<Value>).add(x);
  extend(nodes, level, computed);
  const early = (v: Value): number | undefined => earliest(v, level, computed);
  const after = new Map(collectives.map((c) => [c, early(operand(c)) ?? needed.get(c)! - 1] as const));
  return { count, level, after, resultIn, computed };
}

export const operand = (c: Collective): Value => c.inputs[0]!;

/** The program before which each value must be known. */
function latest(nodes: readonly Value[], ends: ReadonlyMap<Value, number>): Map<Value, number> {
  const needed = new Map(ends);
  for (const v of [...nodes].reverse()) {
    const at = needed.get(v)! - (isCollective(v) ? 1 : 0);
    for (const x of v.inputs) needed.set(x, Math.min(needed.get(x) ?? Number.POSITIVE_INFINITY, at));
  }
  return needed;
}

/** The values behind some, up to collectives. */
export function behind(roots: readonly Value[]): Set<Value> {
  const found = new Set<Value>();
  const stack = roots.filter((v) => !isCollective(v));
  for (let v = stack.pop(); v; v = stack.pop()) {
    if (found.has(v)) continue;
    found.add(v);
    for (const x of v.inputs) if (!isCollective(x)) stack.push(x);
  }
  return found;
}

/** The program that a result adds fewest values to; the later of two. */
function cheapest(v: Value, from: number, computed: readonly ReadonlySet<Value>[]): number {
  const all = [...behind([v])];
  let [best, least] = [from, Number.POSITIVE_INFINITY];
  for (let i = from; i < computed.length; i++) {
    const added = all.filter((x) => !computed[i]!.has(x)).length;
    if (added <= least) [best, least] = [i, added];
  }
  return best;
}

/** What a later program needs and an earlier one can have of what it computes anyway, it computes: that is less to keep than what it is made of. */
function extend(
  nodes: readonly Value[],
  level: ReadonlyMap<Value, number>,
  computed: readonly ReadonlySet<Value>[],
): void {
  const last = new Map<Value, number>();
  for (const [i, set] of computed.entries()) for (const v of set) last.set(v, i);
  const fixed = new Set<Value>();
  for (const v of nodes)
    if (v.op === "constant" || (v.inputs.length > 0 && v.inputs.every((x) => fixed.has(x)))) fixed.add(v);
  for (const [i, set] of computed.entries()) {
    const has = (x: Value): boolean =>
      set.has(x) || fixed.has(x) || x.op === "input" || (isCollective(x) && level.get(x)! <= i);
    for (const v of nodes) {
      const at = level.get(v)!;
      if (at === 0 || at > i || (last.get(v) ?? 0) <= i || isCollective(v) || set.has(v)) continue;
      if (v.inputs.every(has)) (set as Set<Value>).add(v);
    }
  }
}

/** The first program that computes a value which depends on a collective. */
export function earliest(
  v: Value,
  level: ReadonlyMap<Value, number>,
  computed: readonly ReadonlySet<Value>[],
): number | undefined {
  if (level.get(v) === 0) return undefined;
  const i = computed.findIndex((set) => set.has(v));
  return i < 0 ? undefined : i;
}
