/**
 * The engine's kernels at the sizes of ViT-B with batch 8, in the alternative forms among which the lowering chooses: the
 * numbers behind docs/lowering.md.
 */
import { gelu, grad, graph, input, mul, softmax, sum, type Value } from "../src/graph/index.ts";
import { optimize } from "../src/graph/passes/index.ts";
import { decodeModel, type OnnxGraph, type OnnxNode, toOnnx } from "../src/lower/onnx/index.ts";
import { type Entry, handmade, int, ints, node, race } from "./race.ts";

const M = 8 * 197;
const D = 768;
const F = 3072;

const entries = (graphs: Readonly<Record<string, OnnxGraph>>): Entry[] =>
  Object.entries(graphs).map(([name, g]) => ({ name, graph: g }));

/** Prints every table. */
export async function kernels(rounds: number): Promise<void> {
  for (const [inner, out] of [
    [D, F],
    [F, D],
    [D, D],
  ] as const) {
    await linear(inner, out, rounds);
    await weightGradient(inner, out, rounds);
  }
  await attention(rounds);
  await passes(rounds * 3);
  await gradients(rounds * 2);
  await adamw(rounds * 2);
  await scatter(rounds);
  await convolutions(rounds);
}

async function linear(inner: number, out: number, rounds: number): Promise<void> {
  const io = [{ x: [M, inner], w: [out, inner], b: [out] }, { y: [M, out] }] as const;
  const transB = { transB: int(1) };
  const plain = handmade([node("MatMul", ["x", "v"], "y")], { x: [M, inner], v: [inner, out] }, io[1]);
  await race(
    `(${M}, ${inner}) × (${inner}, ${out}), the weight stored (out, in)`,
    entries({
      "MatMul, were it stored (in, out)": plain,
      "Gemm transB": handmade([node("Gemm", ["x", "w"], "y", transB)], ...io),
      "Gemm transB with bias": handmade([node("Gemm", ["x", "w", "b"], "y", transB)], ...io),
      "Gemm transB, Add": handmade([node("Gemm", ["x", "w"], "z", transB), node("Add", ["z", "b"], "y")], ...io),
    }),
    { rounds, flops: 2 * M * inner * out },
  );
}

/** A transpose that the engine does not fuse into the product behind it. */
const hidden = (x: string, y: string): OnnxNode[] => [
  node("Reshape", [x, "one"], `${y}1`),
  node("Transpose", [`${y}1`], `${y}2`, { perm: ints(0, 2, 1) }),
  node("Reshape", [`${y}2`, "two"], y),
];

async function weightGradient(inner: number, out: number, rounds: number): Promise<void> {
  const io = [{ g: [M, out], x: [M, inner] }, { y: [out, inner] }] as const;
  const turned = [
    ...hidden("x", "t"),
    node("MatMul", ["t", "g"], "z"),
    node("Transpose", ["z"], "y", { perm: ints(1, 0) }),
  ];
  await race(
    `weight gradient (${M}, ${out})ᵀ × (${M}, ${inner})`,
    entries({
      "Gemm transA": handmade([node("Gemm", ["g", "x"], "y", { transA: int(1) })], ...io),
      "Transpose g, MatMul": handmade([...hidden("g", "t"), node("MatMul", ["t", "x"], "y")], ...io, {
        one: [1, M, out],
        two: [out, M],
      }),
      "Transpose x, MatMul, Transpose": handmade(turned, ...io, { one: [1, M, inner], two: [inner, M] }),
    }),
    { rounds, flops: 2 * M * inner * out },
  );
}

async function attention(rounds: number): Promise<void> {
  const [q, s, t] = [
    [8, 12, 197, 64],
    [8, 12, 197, 197],
    [8, 12, 64, 197],
  ];
  const fused = (a: string, b: string, attrs: OnnxNode["attrs"]): OnnxNode[] => [
    node("FusedMatMul", [a, b], "y", attrs),
  ];
  await race(
    "attention, 8 × 12 heads of 197 × 64",
    entries({
      "scores: FusedMatMul transB alpha": handmade(
        fused("q", "k", { transB: int(1), alpha: { float: 0.125 } }),
        { q, k: q },
        { y: s },
      ),
      "context: MatMul": handmade([node("MatMul", ["s", "q"], "y")], { s, q }, { y: q }),
      "dV = Pᵀ dO: FusedMatMul transA": handmade(fused("s", "q", { transA: int(1) }), { s, q }, { y: q }),
      "dVᵀ = dOᵀ P: MatMul, dOᵀ given": handmade([node("MatMul", ["t", "s"], "y")], { s, t }, { y: t }),
    }),
    { rounds, flops: 2 * 96 * 197 * 197 * 64 },
  );
}

async function passes(rounds: number): Promise<void> {
  const wide = [{ x: [M, F], z: [M, F] }, { y: [M, F] }] as const;
  const one = (op: string): OnnxGraph => handmade([node(op, ["x"], "y")], { x: [M, F] }, wide[1]);
  const rows = (op: string, axis: number, y: number[]): OnnxGraph =>
    handmade([node(op, ["x", "axes"], "y", { keepdims: int(0) })], { x: [M, F] }, { y }, { axes: [axis] });
  const scores = [8, 12, 197, 197];
  await race(
    `one pass over (${M}, ${F}), 19.4 MB`,
    entries({
      ...Object.fromEntries(["Neg", "Exp", "Erf", "HardSigmoid", "Sqrt", "Gelu"].map((op) => [op, one(op)])),
      ...Object.fromEntries(["Add", "Mul", "Div"].map((op) => [op, handmade([node(op, ["x", "z"], "y")], ...wide)])),
      "Mul by a number": handmade([node("Mul", ["x", "c"], "y")], { x: [M, F] }, wide[1], { c: 0.3 }),
      "ReduceSum over rows": rows("ReduceSum", 0, [F]),
      "ReduceSum over columns": rows("ReduceSum", 1, [M]),
      "Softmax of (8, 12, 197, 197)": handmade([node("Softmax", ["s"], "y")], { s: scores }, { y: scores }),
      "Transpose (8, 197, 12, 256) to heads": handmade(
        [node("Transpose", ["h"], "y", { perm: ints(0, 2, 1, 3) })],
        { h: [8, 197, 12, 256] },
        { y: [8, 12, 197, 256] },
      ),
      "Transpose of the matrix": handmade(
        [node("Transpose", ["x"], "y", { perm: ints(1, 0) })],
        { x: [M, F] },
        { y: [F, M] },
      ),
    }),
    { rounds },
  );
}

const withFusions = (y: Value, on: boolean): OnnxGraph =>
  decodeModel(toOnnx(optimize(graph("race", { y })), on ? {} : { fusions: [] }).model).graph;

async function gradients(rounds: number): Promise<void> {
  const gradient = (x: Value, f: (v: Value) => Value): Value => grad(sum(mul(f(x), input("g", x.shape))), [x])[0]!;
  for (const [name, f, shape] of [
    ["gelu", gelu, [M, F]],
    ["softmax", softmax, [8, 12, 197, 197]],
  ] as const) {
    const y = gradient(input("x", shape), (v) => f(v));
    const graphs = { "as the gradient table writes it": withFusions(y, false), fused: withFusions(y, true) };
    await race(`gradient of ${name}, (${shape.join(", ")})`, entries(graphs), { rounds });
  }
}

const ADAMW: readonly OnnxNode[] = [
  node("Mul", ["m", "b1"], "a"),
  node("Mul", ["g", "c1"], "b"),
  node("Add", ["a", "b"], "m2"),
  node("Mul", ["v", "b2"], "c"),
  node("Mul", ["g", "g"], "gg"),
  node("Mul", ["gg", "c2"], "d"),
  node("Add", ["c", "d"], "v2"),
  node("Sqrt", ["v2"], "root"),
  node("Add", ["root", "eps"], "e"),
  node("Div", ["m2", "e"], "u"),
  node("Mul", ["u", "lr"], "step"),
  node("Mul", ["p", "keep"], "q"),
  node("Sub", ["q", "step"], "p2"),
];

/** The chain as it is, and in a Scan over blocks that fit a core's cache, whose results lie in blocks or are copied back. */
async function adamw(rounds: number): Promise<void> {
  const numbers = { b1: 0.9, c1: 0.1, b2: 0.99, c2: 0.01, eps: 1, lr: 0.1, keep: 0.99 };
  const all = (names: readonly string[], shape: number[]): Record<string, number[]> =>
    Object.fromEntries(names.map((name) => [name, shape]));
  const [ins, outs] = [
    ["p", "g", "m", "v"],
    ["p2", "m2", "v2"],
  ];
  const [flat, blocks] = [
    [D, F],
    [64, (D * F) / 64],
  ];
  const body = handmade(ADAMW, all(ins, blocks.slice(1)), all(outs, blocks.slice(1)));
  const scan = (mark: string): OnnxNode => ({
    ...node(
      "Scan",
      ins.map((x) => x + mark),
      "scan",
      { body: { graph: body }, num_scan_inputs: int(4) },
    ),
    outputs: outs.map((x) => x + mark),
  });
  const there = ins.map((x) => node("Reshape", [x, "blocks"], `${x}_`));
  const back = outs.map((x) => node("Reshape", [`${x}_`, "flat"], x));
  await race(
    `AdamW of a weight (${D}, ${F}), 13 passes`,
    entries({
      "operator by operator": handmade(ADAMW, all(ins, flat), all(outs, flat), numbers),
      "Scan over 64 blocks, state kept in blocks": handmade([scan("")], all(ins, blocks), all(outs, blocks), numbers),
      "Scan over 64 blocks, results copied back": handmade(
        [...there, scan("_"), ...back],
        all(ins, flat),
        all(outs, flat),
        {
          ...numbers,
          flat,
          blocks,
        },
      ),
    }),
    { rounds },
  );
}

async function scatter(rounds: number): Promise<void> {
  const [tokens, words] = [8 * 77, 30522];
  const io = [{ u: [tokens, D], index: [tokens] }, { y: [words, D] }] as const;
  const numbers = { zero: 0, all: [words, D], column: [tokens, 1], wide: [tokens, D] };
  const zeros = node("Expand", ["zero", "all"], "z");
  const column = node("Reshape", ["index", "column"], "i");
  const add = { reduction: { string: "add" } };
  const elements = node("ScatterElements", ["z", "j", "u"], "y", { ...add, axis: int(0) });
  await race(
    `word-embedding gradient: ${tokens} rows into (${words}, ${D})`,
    entries({
      "zeros alone": handmade([node("Expand", ["zero", "all"], "y")], {}, io[1], numbers),
      "ScatterElements add": handmade([zeros, column, node("Expand", ["i", "wide"], "j"), elements], ...io, numbers),
      "ScatterND add (loses updates on several threads)": handmade(
        [zeros, column, node("ScatterND", ["z", "i", "u"], "y", add)],
        ...io,
        numbers,
      ),
    }),
    { rounds },
  );
}

async function convolutions(rounds: number): Promise<void> {
  const [B, P, S] = [8, 16, 224];
  const G = S / P;
  const conv = node("Conv", ["x", "w"], "y", { strides: ints(P, P) });
  const patches = [
    node("Reshape", ["x", "six"], "a"),
    node("Transpose", ["a"], "b", { perm: ints(0, 2, 4, 1, 3, 5) }),
    node("Reshape", ["b", "rows"], "c"),
    node("Reshape", ["w", "matrix"], "d"),
    node("Gemm", ["c", "d"], "e", { transB: int(1) }),
    node("Reshape", ["e", "grid"], "f"),
    node("Transpose", ["f"], "y", { perm: ints(0, 3, 1, 2) }),
  ];
  const io = [{ x: [B, 3, S, S], w: [D, 3, P, P] }, { y: [B, D, G, G] }] as const;
  const shapes = { six: [B, 3, G, P, G, P], rows: [B * G * G, D], matrix: [D, D], grid: [B, G, G, D] };
  await race(
    "patch embedding, 8 images of 224, patches of 16",
    entries({ Conv: handmade([conv], ...io), "Transpose, Gemm, Transpose": handmade(patches, ...io, shapes) }),
    { rounds, flops: 2 * B * G * G * D * D },
  );
}
