/** The cheapest assignment and the overlap of boxes, beside naive versions. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../test/golden/run.ts";
import { constant } from "../graph/index.ts";
import { fromNumbers, random, toNumbers } from "../tensor/index.ts";
import { cheapestRows, giou } from "./index.ts";

/** The least sum over all one-to-one assignments. */
function least(cost: readonly number[], rows: number, columns: number, column = 0, taken = new Set<number>()): number {
  if (column === columns) return 0;
  let best = Number.POSITIVE_INFINITY;
  for (let row = 0; row < rows; row++) {
    if (taken.has(row)) continue;
    const rest = least(cost, rows, columns, column + 1, new Set(taken).add(row));
    best = Math.min(best, cost[row * columns + column]! + rest);
  }
  return best;
}

describe("the cheapest assignment", () => {
  it("costs as little as any, with no row twice", () => {
    for (let i = 0; i < 60; i++) {
      const rng = random(7, "cost", i);
      const [rows, columns] = [1 + rng.integer(6), 0];
      const N = Math.min(rows, columns + rng.integer(5));
      const cost = Array.from({ length: rows * N }, () => (i % 3 === 0 ? rng.integer(4) : rng.normal()));
      const found = cheapestRows(cost, rows, N);
      expect(new Set(found).size).toBe(N);
      const sum = found.reduce((total, row, column) => total + cost[row * N + column]!, 0);
      expect(sum).toBeCloseTo(least(cost, rows, N), 9);
    }
  });
  it("ends with costs that are no numbers", () => {
    expect(new Set(cheapestRows([Number.NaN, Number.POSITIVE_INFINITY, 1, 2], 2, 2)).size).toBe(2);
  });
});

describe("the overlap of boxes", () => {
  it("is 1 of a box with itself, a share where they meet, below 0 where they do not", () => {
    const box = (...numbers: number[]) => constant(fromNumbers(numbers, [1, 4], "float64"));
    const of = (a: ReturnType<typeof box>, b: ReturnType<typeof box>) =>
      toNumbers(evaluate({ g: giou(a, b) }, {}).g!)[0]!;
    const one = box(0.3, 0.3, 0.2, 0.2);
    expect(of(one, one)).toBeCloseTo(1, 6);
    expect(of(one, box(0.4, 0.3, 0.2, 0.2))).toBeCloseTo(1 / 3, 6);
    expect(of(one, box(0.7, 0.3, 0.2, 0.2))).toBeCloseTo(-(0.12 - 0.08) / 0.12, 6);
    expect(of(box(0, 0, 0, 0), box(0, 0, 0, 0))).toBe(0);
  });
});
