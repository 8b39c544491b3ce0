import { describe, expect, it } from "vitest";
import { NameError } from "../../errors.ts";
import { fromNumbers, type Tensor } from "../../tensor/index.ts";
import { graph } from "../graph.ts";
import {
  add,
  allReduce,
  broadcastTo,
  cast,
  constant,
  div,
  exp,
  input,
  mul,
  neg,
  permute,
  reduceMax,
  reshape,
  sub,
  sum,
  where,
} from "../ops.ts";
import { scoped, Value } from "../value.ts";
import { cse, dce, fold, optimize } from "./index.ts";

const x = input("x", [2, 3, 4]);
const y = input("y", [2, 3, 4]);
const numbers = (values: number[], shape: number[] = [values.length]): Tensor<"float32"> => fromNumbers(values, shape);

/** What a value becomes. */
const folded = (v: Value): Value => fold(graph("g", { v })).outputs.v!;
const optimized = (v: Value): Value => optimize(graph("g", { v })).outputs.v!;
const content = (v: Value): number[] => Array.from((v as Value<"constant">).attrs.value.data as Float32Array);

describe("cse", () => {
  it("merges values with the same operation, attributes and operands", () => {
    const g = cse(graph("g", { a: add(exp(x), 1), b: add(exp(x), 1), c: add(exp(x), 2) }));
    expect(g.outputs.a).toBe(g.outputs.b);
    expect(g.outputs.c).not.toBe(g.outputs.a);
    expect(g.nodes.map((v) => v.op)).toEqual(["input", "exp", "constant", "add", "constant", "add"]);
  });

  it("keeps apart what differs in an attribute, in the order of operands, or in the contents of a constant", () => {
    const g = graph("g", {
      a: sum(x, [0]),
      b: sum(x, [1]),
      c: sub(x, y),
      d: sub(y, x),
      e: constant(numbers([1, 2])),
      f: constant(numbers([1, 3])),
      h: constant(numbers([1, 2], [1, 2])),
    });
    expect(new Set(Object.values(cse(g).outputs)).size).toBe(7);
  });

  it("merges two inputs of one name", () => {
    const g = cse(graph("g", { a: neg(input("z", [2])), b: exp(input("z", [2])) }));
    expect(g.nodes.filter((v) => v.op === "input")).toHaveLength(1);
  });

  it("merges large constants only where they share memory", () => {
    const large = numbers(new Array(20_000).fill(1));
    const g = cse(
      graph("g", {
        a: constant(large),
        b: constant({ ...large }),
        c: constant({ ...large, data: large.data.slice() }),
      }),
    );
    expect(g.outputs.a).toBe(g.outputs.b);
    expect(g.outputs.c).not.toBe(g.outputs.a);
  });

  it("keeps the scope of the first", () => {
    const g = cse(graph("g", { a: scoped("first", () => exp(x)), b: scoped("second", () => exp(x)) }));
    expect(g.outputs.b!.scope).toBe("first");
  });
});

describe("dce", () => {
  it("leaves out results that are not kept, with their inputs", () => {
    const g = dce(graph("g", { a: exp(x), b: exp(y) }), ["b"]);
    expect(Object.keys(g.outputs)).toEqual(["b"]);
    expect(Object.keys(g.inputs)).toEqual(["y"]);
    expect(g.nodes).toHaveLength(2);
  });

  it("names the nearest result when one is unknown", () => {
    const g = graph("g", { loss: exp(x), logits: exp(y) });
    expect(() => dce(g, ["lose"])).toThrow(NameError);
    expect(() => dce(g, ["lose"])).toThrow(/"lose".*did you mean "loss"/s);
  });
});

describe("fold", () => {
  it.each<[string, Value, Value]>([
    ["x·1", mul(x, 1), x],
    ["1·x", mul(1, x), x],
    ["x + 0", add(x, 0), x],
    ["0 + x", add(0, x), x],
    ["x − 0", sub(x, 0), x],
    ["x / 1", div(x, 1), x],
    ["−(−x)", neg(neg(x)), x],
    ["a cast to the same dtype", new Value("cast", [x], { dtype: "float32" }), x],
    ["a reshape back", reshape(reshape(x, [6, 4]), [2, 3, 4]), x],
    ["a permutation and its inverse", permute(permute(x, [2, 0, 1]), [1, 2, 0]), x],
    ["a broadcast to the same shape", new Value("broadcastTo", [x], { shape: [2, 3, 4] }), x],
    ["a slice of everything", new Value("slice", [x], { starts: [0, 0, 0], ends: [2, 3, 4] }), x],
    ["padding by nothing", new Value("pad", [x], { before: [0, 0, 0], after: [0, 0, 0] }), x],
    ["a concatenation of one", new Value("concat", [x], { axis: 0 }), x],
    ["where(true, x, y)", where(constant(1, "bool"), x, y), x],
    ["where(false, x, y)", where(constant(0, "bool"), x, y), y],
    ["x + 0 repeated to x's shape", add(x, broadcastTo(constant(0), [2, 3, 4])), x],
  ])("removes %s", (_, before, after) => {
    expect(folded(before)).toBe(after);
  });

  it("joins reshapes, permutations and broadcasts that follow each other", () => {
    const a = folded(reshape(reshape(x, [6, 4]), [24]));
    expect([a.op, a.inputs[0], a.shape]).toEqual(["reshape", x, [24]]);
    const b = folded(permute(permute(x, [2, 0, 1]), [2, 0, 1]));
    expect([b.op, b.inputs[0], b.attrs]).toEqual(["permute", x, { perm: [1, 2, 0] }]);
    const c = folded(broadcastTo(broadcastTo(input("s", [1]), [4]), [3, 4]));
    expect([c.op, c.inputs[0]!.op, c.shape]).toEqual(["broadcastTo", "input", [3, 4]]);
  });

  it("joins products with numbers", () => {
    const v = folded(mul(mul(mul(0.5, x), 4), 3));
    expect([v.op, v.inputs[0]]).toEqual(["mul", x]);
    expect(content(v.inputs[1]!)).toEqual([6]);
  });

  it("turns additions of a negation into a difference, and back", () => {
    expect(folded(add(x, neg(y)))).toMatchObject({ op: "sub", inputs: [x, y] });
    expect(folded(add(neg(x), y))).toMatchObject({ op: "sub", inputs: [y, x] });
    expect(folded(sub(x, neg(y)))).toMatchObject({ op: "add", inputs: [x, y] });
  });

  it("lets an operation repeat its operands itself", () => {
    const s = input("s", [1, 4]);
    const v = folded(mul(x, broadcastTo(s, [2, 3, 4])));
    expect(v.inputs).toEqual([x, s]);
    const both = folded(mul(broadcastTo(s, [3, 4]), broadcastTo(s, [3, 4])));
    expect(both.shape).toEqual([3, 4]);
  });

  it("makes a sum or maximum over axes of size 1 a reshape", () => {
    const thin = input("thin", [2, 1, 4]);
    expect(folded(sum(thin, [1]))).toMatchObject({ op: "reshape", shape: [2, 4] });
    expect(folded(sum(thin, [1], { keep: true }))).toBe(thin);
    expect(folded(reduceMax(thin, [1]))).toMatchObject({ op: "reshape", shape: [2, 4] });
  });

  it("keeps what has the neutral number but another shape", () => {
    const row = input("row", [4]);
    expect(folded(add(row, constant(numbers([0], [1, 1])))).shape).toEqual([1, 4]);
  });

  it("computes operations on small constants, in float64", () => {
    const v = folded(exp(add(constant(numbers([0, 1])), 1)));
    expect(v.op).toBe("constant");
    expect(content(v)).toEqual([Math.E, Math.exp(2)]);
    expect(folded(cast(constant(2.7), "int32"))).toMatchObject({ op: "constant", dtype: "int32" });
  });

  it("leaves large constants and collectives to be computed by the engine", () => {
    expect(folded(exp(constant(numbers(new Array(2000).fill(0))))).op).toBe("exp");
    expect(folded(allReduce(constant(1), 2)).op).toBe("allReduce");
  });

  it("keeps scopes", () => {
    const v = folded(scoped("layer.3", () => reshape(reshape(x, [6, 4]), [24])));
    expect(v.scope).toBe("layer.3");
  });
});

describe("optimize", () => {
  it("folds what only merging makes equal to something simpler", () => {
    const v = optimized(mul(reshape(reshape(exp(mul(x, 1)), [24]), [2, 3, 4]), exp(x)));
    expect(v.inputs[0]).toBe(v.inputs[1]);
    expect(graph("g", { v }).nodes.map((n) => n.op)).toEqual(["input", "exp", "mul"]);
  });

  it("returns the same values when there is nothing to do", () => {
    const v = mul(exp(x), y);
    expect(optimized(v)).toBe(v);
  });
});
