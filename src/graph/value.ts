/** Values: the nodes of a graph. A value is an operation on other values, with a shape and a dtype, and holds no numbers. */
import { ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../tensor/index.ts";
import { checkArity } from "./arity.ts";
import type { Attrs, GraphDType, Op } from "./primitives.ts";
import { infer } from "./shapes.ts";

type Letters<S extends string> = S extends `${infer Head} ${infer Tail}` ? Head | Letters<Tail> : S;

/** One result of one operation. Immutable; two uses of the same object are the same computation. */
export class Value<P extends Op = Op> {
  readonly op: P;
  readonly inputs: readonly Value[];
  readonly attrs: Attrs[P];
  readonly shape: Shape;
  readonly dtype: GraphDType;
  /** Where it was made, for printing and profiles: "flava.image_model.encoder.layer.0". */
  readonly scope: string;

  constructor(op: P, inputs: readonly Value[], attrs: Attrs[P], scope: string = currentScope) {
    checkArity(op, inputs.length);
    const { shape, dtype } = infer[op](inputs, attrs);
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.shape = shape;
    this.dtype = dtype;
    this.scope = scope;
  }

  /** Names the axes: `const { B, N, D } = x.dims("B N D")`. A wrong rank is a ShapeError. */
  dims<S extends string>(letters: S): Record<Letters<S>, number> {
    const names = letters.split(" ");
    if (names.length !== this.shape.length)
      throw new ShapeError(
        `${this.scope || this.op}: expected ${names.length} axes (${letters}), got ${formatShape(this.shape)}`,
      );
    return Object.fromEntries(names.map((name, i) => [name, this.shape[i]])) as Record<Letters<S>, number>;
  }

  toString(): string {
    return `${this.op}: ${this.dtype}${formatShape(this.shape)}${this.scope ? ` in ${this.scope}` : ""}`;
  }
}

let currentScope = "";

/** Runs `build` with a scope name on every value that it makes. */
export function scoped<T>(name: string, build: () => T): T {
  const outer = currentScope;
  currentScope = name;
  try {
    return build();
  } finally {
    currentScope = outer;
  }
}
