/** Graphs as text: one line a value for reading and diffing, or a drawing for Graphviz. */
import { size, toNumbers } from "../tensor/index.ts";
import { type Graph, isOp } from "./graph.ts";
import type { GraphDType } from "./primitives.ts";
import type { Value } from "./value.ts";

const SHORT: Readonly<Record<GraphDType, string>> = {
  float64: "f64",
  float32: "f32",
  bfloat16: "bf16",
  int64: "i64",
  int32: "i32",
  bool: "bool",
};

/** "f32[8,197,768]" */
export const formatType = (v: Value): string => `${SHORT[v.dtype]}[${v.shape.join()}]`;

const isScalarConstant = (v: Value): v is Value<"constant"> => isOp(v, "constant") && v.shape.length === 0;

/** A name as it is, or in quotes where it would be misread. */
const plain = (name: string): string => (/^[\w.:/-]+$/.test(name) ? name : JSON.stringify(name));

/** Names of all values: inputs have their own, scalar constants are their number, the others count h0, h1, …, c0, c1, …. */
function nameValues(g: Graph): Map<Value, string> {
  const names = new Map<Value, string>();
  let [values, constants] = [0, 0];
  for (const v of g.nodes) {
    if (isOp(v, "input")) names.set(v, plain(v.attrs.name));
    else if (isScalarConstant(v)) names.set(v, String(toNumbers(v.attrs.value)[0]));
    else names.set(v, isOp(v, "constant") ? `c${constants++}` : `h${values++}`);
  }
  return names;
}

/** What the type of the result already says. */
const SHOWN_BY_TYPE: ReadonlySet<string> = new Set(["shape", "dtype"]);

function formatAttrs(v: Value): string[] {
  if (isOp(v, "constant")) {
    const numbers = toNumbers(v.attrs.value);
    return numbers.length <= 4 ? numbers.map(String) : [...numbers.slice(0, 3).map(String), `… ${numbers.length}`];
  }
  return Object.entries(v.attrs as Readonly<Record<string, unknown>>)
    .filter(([key, value]) => !SHOWN_BY_TYPE.has(key) && value !== false)
    .map(([key, value]) => (value === true ? key : `${key}=${Array.isArray(value) ? `[${value}]` : value}`));
}

/**
 * One line a value, operands first: `h3: f32[8,197,768] = add(h1, h2)  # encoder.layer.0`. Scalar constants stand where
 * they are used; the last line names the results.
 */
export function print(g: Graph): string {
  const names = nameValues(g);
  const lines = g.nodes
    .filter((v) => !isScalarConstant(v))
    .map((v) => {
      const head = `${names.get(v)}: ${formatType(v)}`;
      const scope = v.scope ? `  # ${v.scope}` : "";
      if (isOp(v, "input")) return head + scope;
      const operands = [...v.inputs.map((x) => names.get(x)!), ...formatAttrs(v)];
      return `${head} = ${v.op}(${operands.join(", ")})${scope}`;
    });
  const results = Object.entries(g.outputs).map(([name, v]) => `${plain(name)} = ${names.get(v)}`);
  return [`graph ${plain(g.name)}`, ...lines, `return ${results.join(", ")}`].join("\n");
}

/** The graph in Graphviz's DOT language; inputs are boxes, results have a double border. */
export function toDot(g: Graph): string {
  const names = nameValues(g);
  const id = new Map(g.nodes.map((v, i) => [v, `n${i}`]));
  const results = new Set(Object.values(g.outputs));
  const lines = g.nodes
    .filter((v) => size(v.shape) > 1 || v.op !== "constant")
    .flatMap((v) => {
      const title = isOp(v, "input") ? names.get(v)! : [v.op, ...formatAttrs(v)].join(" ");
      const look = isOp(v, "input") ? ", shape=box" : results.has(v) ? ", peripheries=2" : "";
      const edges = v.inputs
        .filter((x) => size(x.shape) > 1 || x.op !== "constant")
        .map((x) => `  ${id.get(x)} -> ${id.get(v)};`);
      return [`  ${id.get(v)} [label=${JSON.stringify(`${title}\n${formatType(v)}`)}${look}];`, ...edges];
    });
  return [`digraph ${JSON.stringify(g.name)} {`, ...lines, "}"].join("\n");
}
