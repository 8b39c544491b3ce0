/** Graph → StableHLO text: one function, its parameters the graph's inputs, its results the graph's outputs, in their order. */
import { NameError } from "../../errors.ts";
import type { Graph, Op, Value } from "../../graph/index.ts";
import { nearest } from "../../tensor/index.ts";
import type { Rule } from "./rule.ts";
import { rules } from "./rules/index.ts";
import { type Type, tensorType } from "./types.ts";
import { type Ref, Writer } from "./writer.ts";

/** One parameter or result. */
export interface Port extends Type {
  readonly name: string;
}

export interface LowerOptions {
  /** Inputs whose memory may become that of an output: input name → output name. Both have one shape and dtype. */
  readonly aliases?: Readonly<Record<string, string>>;
  /**
   * Products of bfloat16 whose readers all round them give bfloat16 themselves: half of the traffic where the engine adds up in
   * float32 and rounds once, as GPUs do. XLA's processor engine adds up in bfloat16 then, so the default is false.
   */
  readonly roundProducts?: boolean;
  /**
   * Products of float32 as exact as they come (default). Without, a GPU reads 10 bits of their operands and is several times as fast: for steps in
   * bfloat16, which leave in float32 what makes indices.
   */
  readonly exactProducts?: boolean;
}

export interface Lowered {
  /** An MLIR module in the generic form, of StableHLO's specified operations only. */
  readonly text: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** How many replicas its collectives speak to; 1 without any. */
  readonly workers: number;
}

/** Lowers a graph. Throws NameError for an alias of an input or output that does not exist. */
export function toStableHlo(g: Graph, options: LowerOptions = {}): Lowered {
  const { aliases = {}, roundProducts = false, exactProducts = true } = options;
  const inputs = ports(g.inputs);
  const outputs = ports(g.outputs);
  const w = new Writer({ exactProducts });
  const refs = new Map<Value, Ref>();
  const parameters = new Map(inputs.map((port, i) => [port.name, { ...port, name: `%arg${i}` }]));
  const rounded = roundProducts ? roundedProducts(g) : new Set<Value>();
  for (const value of g.nodes) {
    const operands = value.inputs.map((v) => refs.get(v)!);
    const dtype = rounded.has(value) ? "bfloat16" : value.dtype;
    refs.set(value, write(w, value, operands, { shape: value.shape, dtype }, parameters));
  }
  const results = Object.values(g.outputs).map((v) => refs.get(v)!);
  const shared = aliasNumbers(g, inputs, outputs, aliases);
  const head = inputs.map((port, i) => `%arg${i}: ${tensorType(port)}${shared.get(port.name) ?? ""}`);
  const types = `(${results.map(tensorType).join(", ")})`;
  const text = [
    "module @flava {",
    `  func.func public @main(${head.join(", ")}) -> ${types} {`,
    ...w.lines,
    `    "func.return"(${results.map((r) => r.name).join(", ")}) : ${types} -> ()`,
    "  }",
    "}\n",
  ].join("\n");
  return { text, inputs, outputs, workers: workersOf(g) };
}

function write(
  w: Writer,
  value: Value,
  operands: readonly Ref[],
  result: Type,
  parameters: ReadonlyMap<string, Ref>,
): Ref {
  if (value.op === "input") return parameters.get((value as Value<"input">).attrs.name)!;
  return (rules[value.op as Exclude<Op, "input">] as Rule<Op>)(w, value, operands, value.attrs, result);
}

const PRODUCTS: ReadonlySet<Op> = new Set<Op>(["matmul", "conv2d", "conv2dInputGrad", "conv2dWeightGrad"]);

/** Products of bfloat16 that all readers round to bfloat16. */
function roundedProducts(g: Graph): Set<Value> {
  const rounded = new Set(g.nodes.filter((v) => PRODUCTS.has(v.op) && v.inputs[0]!.dtype === "bfloat16"));
  for (const v of g.nodes) if (v.op !== "cast" || v.dtype !== "bfloat16") for (const x of v.inputs) rounded.delete(x);
  for (const v of Object.values(g.outputs)) rounded.delete(v);
  return rounded;
}

const ports = (values: Readonly<Record<string, Value>>): Port[] =>
  Object.entries(values).map(([name, { shape, dtype }]) => ({ name, shape, dtype }));

/** The attribute of each parameter that may become a result. */
function aliasNumbers(
  g: Graph,
  inputs: readonly Port[],
  outputs: readonly Port[],
  aliases: Readonly<Record<string, string>>,
): Map<string, string> {
  const numbers = new Map<string, string>();
  for (const [input, output] of Object.entries(aliases)) {
    for (const [name, list] of [
      [input, inputs],
      [output, outputs],
    ] as const)
      if (!list.some((port) => port.name === name))
        throw new NameError(
          `${g.name}: alias "${input}" → "${output}": "${name}" does not exist`,
          nearest(
            name,
            list.map((port) => port.name),
          ),
        );
    const index = outputs.findIndex((port) => port.name === output);
    numbers.set(input, ` {tf.aliasing_output = ${index} : i32}`);
  }
  return numbers;
}

const COLLECTIVES: ReadonlySet<Op> = new Set<Op>(["allGather", "reduceScatter", "allReduce"]);

const workersOf = (g: Graph): number =>
  Math.max(1, ...g.nodes.filter((v) => COLLECTIVES.has(v.op)).map((v) => (v as Value<"allReduce">).attrs.workers));
