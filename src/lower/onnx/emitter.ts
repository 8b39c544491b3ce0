/** Collects ONNX nodes and constants: fresh names, one initialiser for equal constants, scopes as prefixes of node names. */
import { type DType, fromNumbers, type Shape, type Tensor } from "../../tensor/index.ts";
import type { Attributes, OnnxNode } from "./schema.ts";

export interface NodeOptions {
  /** "" is the standard operator set. */
  domain?: string;
  /** How many results; the names of the first `count` are given back by `nodes`. */
  count?: number;
}

/** "webgpu": only operators that ONNX Runtime's WebGPU provider has; "any": the fewest and fastest of its processor provider. */
export type Target = "any" | "webgpu";

/** Where the rules write. Tensors are known by name; operands come in as names and the result's name goes back. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  /** Fixed numbers by tensor name. */
  readonly initializers: Map<string, Tensor> = new Map();
  readonly target: Target;
  /** Scope of each node, by node name. */
  readonly scopes: Record<string, string> = {};
  readonly #known = new Map<string, string>();
  readonly #shared = new Map<string, readonly string[]>();
  readonly #taken: Set<string>;
  #scope = "";
  #label = "";
  #count = 0;

  /** `taken` are the names that the graph's inputs and outputs own. */
  constructor(taken: Iterable<string>, target: Target = "any") {
    this.#taken = new Set(taken);
    this.target = target;
  }

  /** Names the nodes that follow `scope/label_number`. */
  enter(scope: string, label: string): void {
    this.#scope = scope;
    this.#label = label;
  }

  /** Adds a node with one result and gives the result's name. */
  node(op: string, inputs: readonly string[], attrs: Attributes = {}, options: NodeOptions = {}): string {
    return this.multi(op, inputs, attrs, { ...options, count: 1 })[0]!;
  }

  /** Adds a node with several results and gives their names. */
  multi(op: string, inputs: readonly string[], attrs: Attributes, { domain = "", count = 1 }: NodeOptions): string[] {
    const name = this.#fresh();
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.nodes.push({ name, op, domain, inputs, outputs, attrs });
    this.scopes[name] = this.#scope;
    return outputs;
  }

  /** The results of `make`, made once for each `key`: nodes with several results that several values share. */
  once(key: string, make: () => readonly string[]): readonly string[] {
    const known = this.#shared.get(key);
    if (known) return known;
    const made = make();
    this.#shared.set(key, made);
    return made;
  }

  /** An initialiser; small equal tensors share one. */
  constant(t: Tensor): string {
    const key = t.data.length <= 64 ? `${t.dtype}(${t.shape.join()})${bits(t)}` : undefined;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known) return known;
    const name = this.#reserve(`const_${this.#count++}`);
    this.initializers.set(name, t);
    if (key !== undefined) this.#known.set(key, name);
    return name;
  }

  /** A rank-0 constant. */
  scalar(value: number, dtype: Exclude<DType, "float16" | "bfloat16">): string {
    return this.constant(fromNumbers([value], [], dtype));
  }

  /** A 1-D int64 constant: shapes, axes, bounds. */
  ints(values: readonly number[]): string {
    return this.constant(fromNumbers(values, [values.length], "int64"));
  }

  /** Reshape, or nothing where the shapes agree. ONNX Runtime makes it an alias. */
  reshape(x: string, from: Shape, to: Shape): string {
    if (from.length === to.length && from.every((d, i) => d === to[i])) return x;
    const attrs: Attributes = to.includes(0) ? { allowzero: { int: 1 } } : {};
    return this.node("Reshape", [x, this.ints(to)], attrs);
  }

  #fresh(): string {
    const local = `${this.#label}_${this.#count++}`;
    return this.#reserve(this.#scope ? `${this.#scope}/${local}` : local);
  }

  #reserve(wish: string): string {
    let name = wish;
    for (let i = 1; this.#taken.has(name); i++) name = `${wish}.${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** The bits of a small tensor, so that −0 and 0 stay two constants. */
const bits = (t: Tensor): string =>
  Array.from(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength), (b) => b.toString(16)).join();
