/** An ONNX graph before it is written: initialisers are still arrays. What passes over whole models read and give. */
import type { Value } from "../../graph/index.ts";
import type { Shape, Tensor } from "../../tensor/index.ts";
import type { Attributes, OnnxNode, OnnxPort } from "./schema.ts";

/** Fixed numbers of a model. 8-bit signed ones exist in models only, not in graphs. */
export type FixedNumbers = Tensor | { readonly dtype: "int8"; readonly shape: Shape; readonly data: Int8Array };

/** The fixed numbers if they are float32. */
export const float32Of = (t: FixedNumbers | undefined): Tensor<"float32"> | undefined =>
  t?.dtype === "float32" ? (t as Tensor<"float32">) : undefined;

export interface Draft {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, FixedNumbers>;
  /** ONNX input of each graph input that is fed, by the graph's name for it. */
  readonly inputs: Readonly<Record<string, OnnxPort>>;
  readonly outputs: Readonly<Record<string, OnnxPort>>;
  /** Scope of each node, by node name. */
  readonly nodeScopes: Readonly<Record<string, string>>;
  /** The values that are made, and what each is made from (see `Lowered`). */
  readonly made: ReadonlyMap<Value, readonly Value[]>;
}

/** Where a pass writes the nodes of the draft that it makes. */
export interface Rewriter {
  readonly nodes: OnnxNode[];
  /** Adds a node and gives the name of its result: `output`, or a new one that begins with `wish`. */
  node(op: string, inputs: readonly string[], wish: string, options?: RewriteOptions): string;
  /** Adds fixed numbers and gives their name. */
  numbers(wish: string, value: FixedNumbers): string;
  /** What `make` gives, made once for each key. */
  once<T>(key: string, make: () => T): T;
  /** A name that nothing else has. */
  fresh(wish: string): string;
  /** The draft with the nodes written, and of the fixed numbers those that a node reads. */
  done(): Draft;
}

export interface RewriteOptions {
  readonly attrs?: Attributes;
  readonly output?: string;
  /** Names of results after the first. */
  readonly more?: readonly string[];
}

/** Starts the rewriting of a draft: no nodes yet, all fixed numbers. */
export function rewriter(draft: Draft): Rewriter {
  const nodes: OnnxNode[] = [];
  const initializers = new Map(draft.initializers);
  const fresh = freshNames(draft);
  const known = new Map<string, unknown>();
  return {
    nodes,
    fresh,
    node(op, inputs, wish, { attrs = {}, output, more = [] } = {}) {
      const name = fresh(wish);
      const result = output ?? name;
      nodes.push({ name, op, domain: "", inputs, outputs: [result, ...more], attrs });
      return result;
    },
    numbers(wish, value) {
      const name = fresh(wish);
      initializers.set(name, value);
      return name;
    },
    once<T>(key: string, make: () => T): T {
      if (!known.has(key)) known.set(key, make());
      return known.get(key) as T;
    },
    done: () => ({ ...draft, nodes, initializers: usedInitializers(nodes, initializers) }),
  };
}

/** Gives names that the draft does not have yet. */
export function freshNames(draft: Draft): (wish: string) => string {
  const taken = new Set([
    ...draft.initializers.keys(),
    ...draft.nodes.flatMap((n) => [n.name, ...n.inputs, ...n.outputs]),
  ]);
  for (const port of [...Object.values(draft.inputs), ...Object.values(draft.outputs)]) taken.add(port.name);
  return (wish) => {
    let name = wish;
    for (let i = 1; taken.has(name); i++) name = `${wish}.${i}`;
    taken.add(name);
    return name;
  };
}

/** The initialisers that some node still reads. */
export function usedInitializers<T>(nodes: readonly OnnxNode[], all: ReadonlyMap<string, T>): Map<string, T> {
  const read = new Set(nodes.flatMap((n) => n.inputs));
  return new Map([...all].filter(([name]) => read.has(name)));
}
