/** Collects StableHLO operations in MLIR's generic form: the one spelling of a program that does not change with printers. */
import type { GraphDType } from "../../graph/index.ts";
import { type Shape, sameShape } from "../../tensor/index.ts";
import { ints, literal, type Type, tensorType } from "./types.ts";

/** A value of the text: its name, and what it holds. */
export interface Ref extends Type {
  readonly name: string;
}

/** Attributes by name, as MLIR spells their values. */
export type Attributes = Readonly<Record<string, string>>;

/** The function inside an operation: parameter types, and its body's lines, which end with the name of its results. */
export interface Region {
  readonly parameters: readonly Type[];
  /** Writes the body; operands come in, results go back. */
  readonly body: (w: Writer, parameters: readonly Ref[]) => readonly Ref[];
}

const typeList = (types: readonly Type[]): string => `(${types.map(tensorType).join(", ")})`;
const resultTypes = (types: readonly Type[]): string => (types.length === 1 ? tensorType(types[0]!) : typeList(types));

/** How a writer writes. */
export interface WriterOptions {
  readonly indent?: string;
  readonly prefix?: string;
  readonly exactProducts?: boolean;
}

/** Where the rules write. Operands come in as refs, and the result's ref goes back. */
export class Writer {
  readonly lines: string[] = [];
  readonly #shared = new Map<string, Ref>();
  readonly #indent: string;
  readonly #prefix: string;
  #count = 0;

  /** Whether products of float32 ask for the highest precision. */
  readonly exactProducts: boolean;

  /** A writer of a region names its values `prefix…`, apart from those around it. */
  constructor({ indent = "    ", prefix = "", exactProducts = true }: WriterOptions = {}) {
    this.#indent = indent;
    this.#prefix = prefix;
    this.exactProducts = exactProducts;
  }

  /** Adds an operation of StableHLO with one result. */
  op(name: string, operands: readonly Ref[], result: Type, attrs: Attributes = {}, region?: Region): Ref {
    return this.multi(name, operands, [result], attrs, region)[0]!;
  }

  /** Adds an operation with several results. */
  multi(
    name: string,
    operands: readonly Ref[],
    results: readonly Type[],
    attrs: Attributes = {},
    region?: Region,
  ): readonly Ref[] {
    const id = `%${this.#prefix}${this.#count++}`;
    const left = results.length === 1 ? id : `${id}:${results.length}`;
    const names = Object.entries(attrs).map(([key, value]) => `${key} = ${value}`);
    this.lines.push(
      `${this.#indent}${left} = "stablehlo.${name}"(${operands.map((r) => r.name).join(", ")})` +
        (region ? ` (${this.#region(region)})` : "") +
        (names.length > 0 ? ` {${names.join(", ")}}` : "") +
        ` : ${typeList(operands)} -> ${resultTypes(results)}`,
    );
    return results.map(({ shape, dtype }, i) => ({ name: results.length === 1 ? id : `${id}#${i}`, shape, dtype }));
  }

  #region({ parameters, body }: Region): string {
    const inner = new Writer({ indent: `${this.#indent}  `, prefix: `${this.#prefix}r` });
    const refs = parameters.map((type, i) => ({ ...type, name: `%${this.#prefix}p${i}` }));
    const results = body(inner, refs);
    const head = refs.map((r) => `${r.name}: ${tensorType(r)}`).join(", ");
    const names = results.map((r) => r.name).join(", ");
    const end = `${this.#indent}  "stablehlo.return"(${names}) : ${typeList(results)} -> ()`;
    return `{\n${this.#indent}^bb0(${head}):\n${[...inner.lines, end].join("\n")}\n${this.#indent}}`;
  }

  /** The value that `make` writes, written once for each `key`. */
  once(key: string, make: () => Ref): Ref {
    const known = this.#shared.get(key) ?? make();
    this.#shared.set(key, known);
    return known;
  }

  /** One number, repeated to a shape. */
  number(x: number, { shape, dtype }: Type): Ref {
    const value = literal(x, dtype);
    return this.once(`${value} ${dtype} ${shape}`, () =>
      this.op("constant", [], { shape, dtype }, { value: `dense<${value}> : ${tensorType({ shape, dtype })}` }),
    );
  }

  /** NumPy broadcasting to a shape; nothing where the shapes agree. */
  broadcast(x: Ref, shape: Shape): Ref {
    if (sameShape(x.shape, shape)) return x;
    const lead = shape.length - x.shape.length;
    return this.along(
      x,
      shape,
      x.shape.map((_, i) => lead + i),
    );
  }

  /** x with its axes put at `axes` of a shape, and repeated along the others. */
  along(x: Ref, shape: Shape, axes: readonly number[]): Ref {
    return this.op("broadcast_in_dim", [x], { shape, dtype: x.dtype }, { broadcast_dimensions: ints(axes) });
  }

  reshape(x: Ref, shape: Shape): Ref {
    return sameShape(x.shape, shape) ? x : this.op("reshape", [x], { shape, dtype: x.dtype });
  }

  transpose(x: Ref, perm: readonly number[]): Ref {
    const shape = perm.map((p) => x.shape[p]!);
    return this.op("transpose", [x], { shape, dtype: x.dtype }, { permutation: ints(perm) });
  }

  convert(x: Ref, dtype: GraphDType): Ref {
    return x.dtype === dtype ? x : this.op("convert", [x], { shape: x.shape, dtype });
  }

  /** The elementwise operation `name` on operands of one shape. */
  each(name: string, ...operands: readonly Ref[]): Ref {
    return this.op(name, operands, operands[0]!);
  }

  /** Combines elements along some axes, which go away, beginning with `start`: an "add" or "maximum". */
  reduce(name: "add" | "maximum" | "or", x: Ref, axes: readonly number[], start: number): Ref {
    const element = { shape: [], dtype: x.dtype };
    const result = { shape: x.shape.filter((_, i) => !axes.includes(i)), dtype: x.dtype };
    const body = (w: Writer, [a, b]: readonly Ref[]): Ref[] => [w.each(name, a!, b!)];
    const attrs = { dimensions: ints(axes) };
    return this.op("reduce", [x, this.number(start, element)], result, attrs, { parameters: [element, element], body });
  }

  /** The same, repeated to the shape of x again. */
  reduceAndSpread(name: "add" | "maximum", x: Ref, axis: number, start: number): Ref {
    const rest = x.shape.map((_, i) => i).filter((i) => i !== axis);
    return this.along(this.reduce(name, x, [axis], start), x.shape, rest);
  }

  /** Which of two holds: a bool. */
  compare(direction: "EQ" | "LT" | "LE" | "GT", a: Ref, b: Ref): Ref {
    const attrs = { comparison_direction: `#stablehlo<comparison_direction ${direction}>` };
    return this.op("compare", [a, b], { shape: a.shape, dtype: "bool" }, attrs);
  }
}
