/** Random graphs of a few dozen values, rich in what the passes look for: repeated work, neutral numbers, chains of reshapes. */
import fc from "fast-check";
import type { Graph, Value } from "../../src/graph/index.ts";
import * as g from "../../src/graph/index.ts";
import { fromNumbers, type Random, random, size, type Tensor } from "../../src/tensor/index.ts";

export interface RandomGraph {
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

const INPUTS: readonly (readonly number[])[] = [[2, 3], [3], [2, 1], [], [1, 2, 3]];
const NUMBERS = [0, 1, -1, 0.5, 2] as const;
const MAX_SIZE = 200;

type Pick = <T>(from: readonly T[]) => T;
/** A new value from some of the pool; undefined where the picked ones do not go together. */
type Step = (pool: readonly Value[], pick: Pick, rng: Random) => Value | undefined;

const broadcasts = (a: readonly number[], b: readonly number[]): boolean =>
  [...a].reverse().every((d, i) => d === 1 || [1, undefined, d].includes([...b].reverse()[i]));

/** Another value that broadcasts with x. */
const partner = (x: Value, pool: readonly Value[], pick: Pick): Value =>
  pick(pool.filter((y) => broadcasts(x.shape, y.shape)));

const shuffled = (n: number, rng: Random): number[] => {
  const order = [...Array(n).keys()];
  for (let i = n - 1; i > 0; i--) {
    const j = rng.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
};

/** Steps keep values of size about 1, so that rounding is not magnified: what is multiplied goes through tanh first. */
const steps: readonly Step[] = [
  (pool, pick) => pick([g.neg, g.tanh, g.sigmoid, g.gelu, g.relu, g.stopGradient])(pick(pool)),
  (pool, pick) => g.neg(g.neg(pick(pool))),
  (pool, pick) => {
    const x = pick(pool);
    return pick([g.add, g.sub, g.maximum, g.minimum])(x, partner(x, pool, pick));
  },
  (pool, pick) => {
    const x = pick(pool);
    return g.mul(g.tanh(x), partner(x, pool, pick));
  },
  (pool, pick) => pick([g.add, g.mul, g.sub])(pick(pool), pick(NUMBERS)),
  (pool, pick) => pick([g.add, g.mul])(pick(NUMBERS), pick(pool)),
  (pool, pick) => g.div(pick(pool), pick([1, 2])),
  (pool, pick) => {
    const x = pick(pool);
    const y = partner(x, pool, pick);
    return pick([() => g.add(g.neg(x), y), () => g.add(x, g.neg(y)), () => g.sub(x, g.neg(y))])();
  },
  // a neutral number that still adds axes
  (pool, pick) => {
    const ones = pick([[1], [1, 1, 1]]);
    return pick([g.add, g.mul])(pick(pool), g.constant(fromNumbers([pick([0, 1])], ones)));
  },
  (pool, pick) => {
    const x = pick(pool);
    const shape = pick([[size(x.shape)], [1, ...x.shape], [...x.shape, 1], x.shape.filter((d) => d !== 1)]);
    return new g.Value("reshape", [x], { shape });
  },
  (pool, pick, rng) => {
    const x = pick(pool);
    return new g.Value("permute", [x], { perm: shuffled(x.shape.length, rng) });
  },
  (pool, pick) => {
    const x = pick(pool);
    return new g.Value("broadcastTo", [x], { shape: pick([x.shape, [2, ...x.shape]]) });
  },
  (pool, pick) => {
    const x = pick(pool);
    const axis = pick([...x.shape.keys()]);
    return axis === undefined ? undefined : g.sum(x, [axis], { keep: pick([true, false]) });
  },
  (pool, pick) => {
    const x = pick(pool);
    const zero = x.shape.map(() => 0);
    const part = x.shape.map((d) => Math.max(1, d - 1));
    return pick([
      () => new g.Value("slice", [x], { starts: zero, ends: pick([x.shape, part]) }),
      () => new g.Value("pad", [x], { before: zero, after: pick([zero, x.shape.map(() => 1)]) }),
    ])();
  },
  (pool, pick) => {
    const x = pick(pool);
    return x.shape.length === 0 ? undefined : new g.Value("concat", pick([[x], [x, x]]), { axis: 0 });
  },
  (pool, pick) => {
    // inputs only: rounding could turn a comparison of anything else
    const condition = g.less(pick(pool.slice(0, INPUTS.length)), pick([0, 0.5]));
    const x = pick(pool);
    return broadcasts(x.shape, condition.shape) ? g.where(condition, x, pick([0, 1])) : undefined;
  },
  (pool, pick) => g.where(g.constant(pick([0, 1]), "bool"), pick(pool), pick(NUMBERS)),
  // the same work again
  (pool, pick) => {
    const x = pick(pool);
    return new g.Value(x.op, x.inputs, x.attrs);
  },
];

function build(seed: number, count: number): RandomGraph {
  const rng = random(seed, "random graph");
  const pick: Pick = (from) => from[rng.integer(Math.max(1, from.length))]!;
  const feeds = Object.fromEntries(
    INPUTS.map((shape, i) => [`x${i}`, fromNumbers(Array.from({ length: size(shape) }, rng.normal), shape)]),
  );
  const pool: Value[] = INPUTS.map((shape, i) => g.input(`x${i}`, shape));
  for (let i = 0; i < count; i++) {
    const made = g.scoped(`step.${i}`, () => pick(steps)(pool, pick, rng));
    if (made && made.shape.length <= 5 && size(made.shape) <= MAX_SIZE) pool.push(made);
  }
  const results = Object.fromEntries(pool.slice(-4).map((v, i) => [`y${i}`, v]));
  const made = g.graph("random", results);
  return { graph: made, feeds: Object.fromEntries(Object.keys(made.inputs).map((name) => [name, feeds[name]!])) };
}

/** Shrinks towards fewer steps. */
export const randomGraphs: fc.Arbitrary<RandomGraph> = fc
  .record({ seed: fc.noShrink(fc.nat(1 << 30)), count: fc.integer({ min: 1, max: 40 }) })
  .map(({ seed, count }) => build(seed, count));
