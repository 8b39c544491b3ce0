/** An ONNX graph before it is written: initialisers are still tensors. What passes over whole models read and give. */
import type { Value } from "../../graph/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { OnnxNode, OnnxPort } from "./schema.ts";

export interface Draft {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** ONNX input of each graph input that is fed, by the graph's name for it. */
  readonly inputs: Readonly<Record<string, OnnxPort>>;
  readonly outputs: Readonly<Record<string, OnnxPort>>;
  /** Scope of each node, by node name. */
  readonly nodeScopes: Readonly<Record<string, string>>;
  /** The values that are made, and what each is made from (see `Lowered`). */
  readonly made: ReadonlyMap<Value, readonly Value[]>;
}

/** Names of a draft that are taken, and new ones. */
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
export function usedInitializers(nodes: readonly OnnxNode[], all: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const read = new Set(nodes.flatMap((n) => n.inputs));
  return new Map([...all].filter(([name]) => read.has(name)));
}
