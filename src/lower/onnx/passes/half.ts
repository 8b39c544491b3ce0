/**
 * float16: products, convolutions and gelu read and give float16, and weights are stored so; sums, softmax, norms, masks and everything else
 * are float32, because their numbers leave float16's range (65,504) or lose digits that count. Inputs and outputs stay float32.
 */
import { floatToHalf } from "../../../tensor/index.ts";
import { type Draft, type FixedNumbers, float32Of, type Rewriter, rewriter } from "../draft.ts";
import { DATA_TYPES, type OnnxNode } from "../schema.ts";

/** Operators that compute in float16. */
const LOW: ReadonlySet<string> = new Set(["MatMul", "Gemm", "FusedMatMul", "Conv", "Gelu"]);
/** Operators that only move elements, with the place of the operands whose elements they move. */
const MOVES: Readonly<Record<string, readonly number[] | "all">> = {
  Reshape: [0],
  Transpose: [0],
  Slice: [0],
  Expand: [0],
  Identity: [0],
  Gather: [0],
  Concat: "all",
};
/** Operators whose result is no float although they read floats, or is another type than their first operand. */
const RESULTS: Readonly<Record<string, string>> = {
  Shape: "int64",
  Equal: "bool",
  Less: "bool",
  LessOrEqual: "bool",
  Not: "bool",
  And: "bool",
  Or: "bool",
  ArgMax: "int64",
};

const LARGEST = 65504;
const HALF = { to: { int: DATA_TYPES.float16 } } as const;
const FLOAT = { to: { int: DATA_TYPES.float32 } } as const;

/** The model with products in float16. Weights that leave its range stay float32, and so does what reads them. */
export function half(draft: Draft): Draft {
  const w = rewriter(draft);
  const types = floats(draft);
  const low = new Map<string, string>(); // float32 tensor → the same in float16
  const full = new Set<string>([...draft.initializers.keys(), ...Object.values(draft.inputs).map((port) => port.name)]);

  const halved = (name: string): string => {
    const known = low.get(name) ?? halvedNumbers(w, name, draft.initializers.get(name));
    const made = known ?? w.node("Cast", [name], `${name}:half`, { attrs: HALF });
    low.set(name, made);
    return made;
  };
  const widened = (name: string): string => {
    if (!full.has(name) && low.has(name))
      w.node("Cast", [low.get(name)!], `${name}:float`, { attrs: FLOAT, output: name });
    full.add(name);
    return name;
  };
  for (const node of draft.nodes) {
    const moved = movedOperands(node).filter((name) => types.has(name));
    const readsLow = (name: string): boolean => low.has(name) || isTable(draft.initializers.get(name));
    const isLow = LOW.has(node.op)
      ? node.inputs.every((name) => fits(draft.initializers.get(name)))
      : moved.length > 0 && moved.every(readsLow) && moved.some((name) => !full.has(name) || node.op === "Gather");
    if (!isLow) {
      w.nodes.push({ ...node, inputs: node.inputs.map(widened) });
      for (const name of node.outputs) full.add(name);
      continue;
    }
    const inputs = node.inputs.map((name) => (types.has(name) ? halved(name) : name));
    const output = w.fresh(`${node.outputs[0]}:half`);
    w.nodes.push({ ...node, inputs, outputs: [output] });
    low.set(node.outputs[0]!, output);
  }
  for (const { name } of Object.values(draft.outputs)) widened(name);
  return w.done();
}

const movedOperands = ({ op, inputs }: OnnxNode): readonly string[] => {
  const places = MOVES[op];
  return places === "all" ? inputs : (places ?? []).map((i) => inputs[i]!);
};

/** A table of vectors, whose rows are looked up or joined. */
const isTable = (t: FixedNumbers | undefined): boolean => t?.dtype === "float32" && t.shape.length >= 2 && fits(t);

const fits = (t: FixedNumbers | undefined): boolean => float32Of(t)?.data.every((x) => Math.abs(x) <= LARGEST) ?? true;

function halvedNumbers(w: Rewriter, name: string, numbers: FixedNumbers | undefined): string | undefined {
  const t = float32Of(numbers);
  return t && w.numbers(`${name}:half`, { dtype: "float16", shape: t.shape, data: floatToHalf(t.data) });
}

/** The names of all float32 tensors. */
function floats(draft: Draft): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, { dtype }] of draft.initializers) if (dtype === "float32") names.add(name);
  for (const { name, dtype } of Object.values(draft.inputs)) if (dtype === "float32") names.add(name);
  for (const node of draft.nodes) if (givesFloat(node, names)) for (const output of node.outputs) names.add(output);
  return names;
}

function givesFloat({ op, inputs, attrs }: OnnxNode, names: ReadonlySet<string>): boolean {
  if (op === "Cast") return "int" in attrs.to! && attrs.to.int === DATA_TYPES.float32;
  if (RESULTS[op]) return false;
  return names.has(inputs[op === "Where" ? 1 : 0]!);
}
