import { describe, expect, it } from "vitest";
import { add, constant, graph, input, matmul, mul, reshape, sub, sum, Value } from "../../graph/index.ts";
import { toOnnx } from "../../lower/onnx/index.ts";
import { fromNumbers } from "../../tensor/index.ts";
import { inPlaceUpdates } from "./in-place.ts";

describe("inPlaceUpdates", () => {
  const s = input("s", [2]);
  const safe = (next: Value, other?: Value): boolean => {
    const g = graph("g", { next, ...(other ? { other } : {}) });
    return inPlaceUpdates(g, { s: "next" }, toOnnx(g).made).has("s");
  };
  it("accepts an elementwise update whose other readers ran before", () => expect(safe(add(s, sum(s)))).toBe(true));
  it("refuses while another result still reads the old value", () => expect(safe(add(s, 1), mul(s, 2))).toBe(false));
  it("refuses when the last operator reads it in another order", () =>
    expect(safe(reshape(matmul(reshape(s, [1, 2]), constant(fromNumbers([1, 2, 3, 4], [2, 2]))), [2]))).toBe(true));
  it("counts readers of a view of the old value as its readers", () => {
    const view = reshape(s, [2, 1]);
    expect(safe(add(s, mul(sum(view), 0)), mul(view, 2))).toBe(false);
    expect(safe(add(s, sum(mul(view, 2))))).toBe(true);
  });
  it("refuses a product that writes over its own operand", () => {
    const m = input("s", [2, 2]);
    const next = matmul(m, m);
    expect(safe(next)).toBe(false);
  });
  it("refuses a broadcast of the state itself", () => {
    const m = input("s", [1, 2]);
    const next = add(m, input("y", [2, 2]));
    expect(safe(next)).toBe(false);
  });
  it("counts readers of what a collective of one worker gives as its readers", () => {
    const same = new Value("allReduce", [s], { workers: 1 });
    expect(safe(add(s, mul(sum(s), 0)), mul(same, 2))).toBe(false);
    expect(safe(add(s, sum(mul(same, 2))))).toBe(true);
  });
  it("refuses where a result shows the old value, itself or by a view", () => {
    expect(safe(add(s, 1), s)).toBe(false);
    expect(safe(add(s, 1), reshape(s, [2, 1]))).toBe(false);
  });
  it("refuses where the update of another state is the old value", () => {
    const g = graph("g", { s: add(s, 1), t: s });
    expect([...inPlaceUpdates(g, { s: "s", t: "t" }, toOnnx(g).made)]).toEqual(["t"]);
  });
  it("counts as readers what fusions read, not what they replaced", () => {
    const square = mul(s, s);
    expect(safe(sub(s, mul(square, 0.1)), sum(square))).toBe(false); // the sum reads s itself, perhaps later
    const [m, w, b] = [input("s", [4, 4]), input("w", [4, 4]), input("b", [4])];
    expect(safe(mul(matmul(m, w), 0.9))).toBe(false); // one operator that reads its operand while it writes
    expect(safe(add(matmul(m, w), b))).toBe(false);
  });
  it("refuses a sum with a product of the state, which the engine may join", () => {
    const [m, w, c] = [input("s", [4, 4]), input("w", [4, 4]), input("c", [4, 4])];
    expect(safe(add(matmul(m, w), c))).toBe(false);
    expect(safe(sub(m, matmul(w, c)))).toBe(true);
  });
});
