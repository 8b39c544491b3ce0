/** A graph: named results and everything that they need, in an order in which it can be computed. */
import { NameError } from "../errors.ts";
import { formatShape, sameShape } from "../tensor/index.ts";
import { Value } from "./value.ts";

export interface Graph {
  readonly name: string;
  /** All values, each after its operands. */
  readonly nodes: readonly Value[];
  /** The `input` values by name, in the order of first use. */
  readonly inputs: Readonly<Record<string, Value<"input">>>;
  readonly outputs: Readonly<Record<string, Value>>;
}

export const isOp = <P extends Value["op"]>(v: Value, op: P): v is Value<P> => v.op === op;

/** Everything that `roots` need, operands first. Iterative: a training step is deeper than the stack. */
export function topological(roots: Iterable<Value>): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  for (const root of roots) {
    const stack: { value: Value; next: number }[] = [];
    if (!seen.has(root)) stack.push({ value: root, next: 0 });
    seen.add(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const child = top.value.inputs[top.next++];
      if (child === undefined) {
        order.push(top.value);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ value: child, next: 0 });
      }
    }
  }
  return order;
}

/** Collects the graph behind some results. Throws NameError when one input name stands for two different tensors. */
export function graph(name: string, outputs: Readonly<Record<string, Value>>): Graph {
  const nodes = topological(Object.values(outputs));
  const inputs: Record<string, Value<"input">> = {};
  for (const node of nodes) {
    if (!isOp(node, "input")) continue;
    const known = inputs[node.attrs.name];
    if (known && (known.dtype !== node.dtype || !sameShape(known.shape, node.shape)))
      throw new NameError(
        `${name}: input "${node.attrs.name}" is both ${known.dtype}${formatShape(known.shape)} and ${node.dtype}${formatShape(node.shape)}`,
      );
    inputs[node.attrs.name] ??= node;
  }
  return { name, nodes, inputs, outputs };
}

/** Rebuilds a graph, value by value, operands first: `rule` gets each value and its new operands. */
export function rewrite(g: Graph, rule: (value: Value, inputs: readonly Value[]) => Value): Graph {
  const map = new Map<Value, Value>();
  for (const node of g.nodes)
    map.set(
      node,
      rule(
        node,
        node.inputs.map((v) => map.get(v)!),
      ),
    );
  return graph(g.name, Object.fromEntries(Object.entries(g.outputs).map(([name, v]) => [name, map.get(v)!])));
}

/** The same operation on other operands; the same object when nothing changed. */
export function withInputs(value: Value, inputs: readonly Value[]): Value {
  return inputs.every((v, i) => v === value.inputs[i]) ? value : new Value(value.op, inputs, value.attrs, value.scope);
}
