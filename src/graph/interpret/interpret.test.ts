import { describe, expect, it } from "vitest";
import { DTypeError, EngineError, NameError, ShapeError } from "../../errors.ts";
import { fromNumbers, type Tensor, tensor, toNumbers } from "../../tensor/index.ts";
import { graph } from "../graph.ts";
import {
  add,
  allGather,
  allReduce,
  cast,
  constant,
  gather,
  input,
  matmul,
  mul,
  permute,
  reduceScatter,
  reshape,
  scatterAdd,
  sum,
} from "../ops.ts";
import { interpret, interpretWorkers } from "./interpret.ts";

const f32 = (values: number[], shape: number[] = [values.length]): Tensor => fromNumbers(values, shape);
const f64 = (values: number[], shape: number[] = [values.length]): Tensor => fromNumbers(values, shape, "float64");

describe("interpret", () => {
  const x = input("x", [3]);
  const third = graph("third", { y: mul(x, x) });

  it("computes in 64 bits by default, whatever the graph says", () => {
    const { y } = interpret(third, { x: f64([0.1, 0.2, 0.3]) });
    expect(y!.dtype).toBe("float64");
    expect(toNumbers(y!)).toEqual([0.1 * 0.1, 0.2 * 0.2, 0.3 * 0.3]);
  });

  it("rounds every result to 32 bits when asked", () => {
    const { y } = interpret(third, { x: f32([0.1, 0.2, 0.3]) }, { precision: "float32" });
    expect(y!.dtype).toBe("float32");
    expect(toNumbers(y!)).toEqual([0.1, 0.2, 0.3].map((v) => Math.fround(Math.fround(v) ** 2)));
  });

  it("never hands out the memory of a feed or a constant", () => {
    const feed = f64([1, 2, 3, 4], [2, 2]);
    const five = f64([5]);
    const a = input("a", [2, 2], "float64");
    const out = interpret(graph("id", { a, flat: reshape(a, [4]), five: constant(five) }), { a: feed });
    (out.flat!.data as Float64Array)[0] = 99;
    (out.five!.data as Float64Array)[0] = 99;
    expect(feed.data[0]).toBe(1);
    expect(five.data[0]).toBe(5);
    expect(toNumbers(out.a!)).toEqual([1, 2, 3, 4]);
  });

  it("keeps int64 exact beyond 2^53", () => {
    const big = tensor("int64", [2], BigInt64Array.of(2n ** 60n + 1n, -3n));
    const a = input("a", [2], "int64");
    const out = interpret(graph("big", { y: add(a, a), total: sum(a) }), { a: big });
    expect([...(out.y!.data as BigInt64Array)]).toEqual([2n ** 61n + 2n, -6n]);
    expect([...(out.total!.data as BigInt64Array)]).toEqual([2n ** 60n - 2n]);
  });

  it("cuts towards zero when it casts to whole numbers", () => {
    const y = cast(x, "int64");
    const out = interpret(graph("cut", { y, back: cast(y, "float32") }), { x: f64([-1.7, 0.9, 2.5]) });
    expect([...(out.y!.data as BigInt64Array)]).toEqual([-1n, 0n, 2n]);
    expect(toNumbers(out.back!)).toEqual([-1, 0, 2]);
  });

  it("computes values of size 0", () => {
    const a = input("a", [0, 3]);
    const b = input("b", [3, 2]);
    const out = interpret(graph("empty", { y: matmul(a, b), t: permute(a, [1, 0]), s: sum(a, [0]) }), {
      a: f64([], [0, 3]),
      b: f64([1, 2, 3, 4, 5, 6], [3, 2]),
    });
    expect(out.y!.shape).toEqual([0, 2]);
    expect(toNumbers(out.s!)).toEqual([0, 0, 0]);
  });

  it("names the nearest inputs when a feed is missing or unknown", () => {
    const g = graph("step", { y: mul(input("pixel_values", [1]), input("input_ids", [1])) });
    const ids = f32([1]);
    expect(() => interpret(g, { pixel_value: ids, input_ids: ids })).toThrow(/got no "pixel_values".*"pixel_value"/s);
    expect(() => interpret(g, { pixel_values: ids, input_ids: ids, input_idx: ids })).toThrow(
      /no input "input_idx".*"input_ids"/s,
    );
    expect(() => interpret(g, {})).toThrow(NameError);
  });

  it("refuses feeds of another shape or dtype", () => {
    expect(() => interpret(third, { x: f32([1, 2]) })).toThrow(ShapeError);
    expect(() => interpret(third, { x: fromNumbers([1, 2, 3], [3], "int32") })).toThrow(DTypeError);
    expect(() => interpret(third, { x: f64([1, 2, 3]) }, { precision: "float32" })).toThrow(DTypeError);
  });

  it("refuses an index outside of the axis", () => {
    const ids = input("ids", [2], "int32");
    const rows = input("rows", [2, 2]);
    const feeds = { ids: fromNumbers([0, 3], [2], "int32"), rows: f32([1, 2, 3, 4], [2, 2]) };
    expect(() => interpret(graph("g", { y: gather(rows, ids) }), feeds)).toThrow(/from 0 to 1, got 3 at 1/);
    expect(() => interpret(graph("g", { y: scatterAdd(rows, ids, 3) }), feeds)).toThrow(/from 0 to 2, got 3 at 1/);
  });

  it("stops when the signal is aborted", () => {
    expect(() => interpret(third, { x: f32([1, 2, 3]) }, { signal: AbortSignal.abort() })).toThrow(/abort/i);
  });

  it("refuses a graph that was made for several workers", () => {
    expect(() => interpret(graph("g", { y: allReduce(x, 2) }), { x: f32([1, 2, 3]) })).toThrow(EngineError);
  });
});

describe("interpretWorkers", () => {
  const x = input("x", [2]);
  const feeds = [{ x: f64([1, 2]) }, { x: f64([10, 20]) }];

  it("gathers along axis 0, in the order of the workers", () => {
    for (const { y } of interpretWorkers(graph("g", { y: allGather(x, 2) }), feeds))
      expect(toNumbers(y!)).toEqual([1, 2, 10, 20]);
  });

  it("adds up over workers, and scatters the sum", () => {
    const g = graph("g", { all: allReduce(x, 2), mine: reduceScatter(x, 2) });
    const [first, second] = interpretWorkers(g, feeds);
    expect(toNumbers(first!.all!)).toEqual([11, 22]);
    expect(toNumbers(second!.all!)).toEqual([11, 22]);
    expect(toNumbers(first!.mine!)).toEqual([11]);
    expect(toNumbers(second!.mine!)).toEqual([22]);
  });
});
