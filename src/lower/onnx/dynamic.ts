/**
 * Models with open axes, from drafts of one graph at several lengths. The drafts must be the same node by node; where a list of
 * sizes differs between them, the model computes it from the shapes of its inputs.
 */
import { ShapeError } from "../../errors.ts";
import { axisOf, type Extent, extentOf, formatSize, type Samples, type Size } from "../../graph/index.ts";
import { fromNumbers, sameShape, type Tensor } from "../../tensor/index.ts";
import { type Draft, type FixedNumbers, freshNames, usedInitializers } from "./draft.ts";
import type { Attributes, OnnxNode, OnnxPort } from "./schema.ts";

/** One draft for all lengths. Throws ShapeError that names the node where the drafts differ in more than sizes. */
export function joinDrafts(samples: Samples<Draft>): Draft {
  const first = samples.of[0]!;
  const inputs = joinPorts(samples, (d) => d.inputs);
  const sizes = sizeWriter(first, inputs);
  const resolve = samples.of.map(resolver);
  const nodes = first.nodes.map((node, n) => {
    const all = samples.of.map((d) => d.nodes[n]);
    if (!all.every((other) => other && sameKind(node, other))) throw differs(samples, node, "another operation");
    const inputsOf = node.inputs.map((name, i) => {
      const operands = all.map((other, k) => resolve[k]!(other!.inputs[i]!));
      if (operands.every((o) => sameOperand(o, operands[0]!))) return name;
      const list = listOfSizes(samples, operands);
      if (!list) throw differs(samples, node, `another operand ${i}`);
      return sizes.list(list, node.op === "Reshape");
    });
    return { ...node, inputs: inputsOf };
  });
  if (samples.of.some((d) => d.nodes.length !== nodes.length))
    throw differs(samples, nodes.at(-1)!, "other operations after it");
  const all = [...sizes.nodes, ...nodes];
  return {
    ...first,
    nodes: all,
    initializers: usedInitializers(all, new Map([...first.initializers, ...sizes.constants])),
    inputs: Object.fromEntries(Object.entries(inputs).map(([key, { port }]) => [key, port])),
    outputs: Object.fromEntries(
      Object.entries(joinPorts(samples, (d) => d.outputs)).map(([key, { port }]) => [key, port]),
    ),
  };
}

/** An operand by what it is, whatever it is called: a result of a node, an input, or fixed numbers. */
type Operand = string | FixedNumbers;

function resolver(draft: Draft): (name: string) => Operand {
  const made = new Map(
    draft.nodes.flatMap((n, i) => n.outputs.map((name, k) => [name, `result ${k} of ${i}`] as const)),
  );
  return (name) => draft.initializers.get(name) ?? made.get(name) ?? `input ${name}`;
}

const sameKind = (a: OnnxNode, b: OnnxNode): boolean =>
  a.op === b.op &&
  a.domain === b.domain &&
  a.inputs.length === b.inputs.length &&
  a.outputs.length === b.outputs.length &&
  JSON.stringify(a.attrs) === JSON.stringify(b.attrs);

function sameOperand(a: Operand, b: Operand): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  if (a.data === b.data) return true;
  return (
    a.dtype === b.dtype && sameShape(a.shape, b.shape) && (a.data as Float32Array).every((x, i) => x === b.data[i])
  );
}

/** The sizes in a list of whole numbers (a shape, bounds of a slice) of every sample. */
function listOfSizes(samples: Samples<Draft>, operands: readonly Operand[]): Size[] | undefined {
  const lists = operands.map((o) =>
    typeof o === "object" && o.dtype === "int64" ? Array.from(o.data as BigInt64Array, Number) : [],
  );
  const list = lists[0]!.map((_, i) =>
    extentOf(
      samples,
      lists.map((l) => l[i] ?? Number.NaN),
    ),
  );
  return list.length > 0 && list.every((size) => size !== undefined) ? (list as Size[]) : undefined;
}

interface Port {
  readonly port: OnnxPort;
  readonly shape: readonly Size[];
}

function joinPorts(
  samples: Samples<Draft>,
  of: (d: Draft) => Readonly<Record<string, OnnxPort>>,
): Record<string, Port> {
  return Object.fromEntries(
    Object.entries(of(samples.of[0]!)).map(([key, port]) => {
      const shape = port.shape.map((_, i) =>
        extentOf(
          samples,
          samples.of.map((d) => Number(of(d)[key]?.shape[i])),
        ),
      );
      if (shape.some((size) => size === undefined))
        throw new ShapeError(
          `${samples.of[0]!.name}: the shape of "${key}" does not follow from ${samples.axes.join(", ")}`,
        );
      return [key, { port: { ...port, shape: (shape as Size[]).map(formatSize) }, shape: shape as Size[] }];
    }),
  );
}

const differs = ({ of: [draft], axes, sizes }: Samples<Draft>, node: OnnxNode, how: string): ShapeError =>
  new ShapeError(
    `${draft!.name}: ${axes.join(" and ")} cannot be left open: ${node.op} "${node.name}" has ${how} at other lengths`,
    `traced at ${sizes.map((s) => Object.values(s).join(" × ")).join(", ")}: what is built must not depend on them`,
  );

interface SizeWriter {
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, Tensor>;
  /** The name of an int64 tensor of these sizes. `rest`: the reader takes −1 for the one size that follows from the others. */
  list(sizes: readonly Size[], rest: boolean): string;
}

/** Writes nodes that compute sizes from the shapes of inputs, each once. */
function sizeWriter(draft: Draft, inputs: Readonly<Record<string, Port>>): SizeWriter {
  const fresh = freshNames(draft);
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, Tensor>();
  const known = new Map<string, string>();
  const once = (key: string, make: (name: string) => void): string => {
    let name = known.get(key);
    if (name === undefined) {
      name = fresh(`sizes/${known.size}`);
      known.set(key, name);
      make(name);
    }
    return name;
  };
  const node = (op: string, operands: readonly string[], attrs: Attributes = {}): string =>
    once(`${op}(${operands.join()})${JSON.stringify(attrs)}`, (name) => {
      nodes.push({ name, op, domain: "", inputs: operands, outputs: [name], attrs });
    });
  const numbers = (values: readonly number[]): string =>
    once(`[${values.join()}]`, (name) => {
      constants.set(name, fromNumbers(values, [values.length], "int64"));
    });
  const axis = (wanted: string): string => {
    for (const { port, shape } of Object.values(inputs)) {
      const at = shape.findIndex((size) => axisOf(size) === wanted);
      if (at >= 0) return node("Shape", [port.name], { start: { int: at }, end: { int: at + 1 } });
    }
    throw new ShapeError(`${draft.name}: no input has an axis that is as long as ${wanted}`);
  };
  const sized = (size: Size): string => (typeof size === "number" ? numbers([size]) : total(size));
  const total = (extent: Extent): string =>
    extent
      .map(({ factor, axes }) => {
        const product = axes.map(axis).reduce<string | undefined>((x, y) => (x ? node("Mul", [x, y]) : y), undefined);
        if (!product) return numbers([factor]);
        return factor === 1 ? product : node("Mul", [product, numbers([factor])]);
      })
      .reduce((x, y) => node("Add", [x, y]));
  const list = (sizes: readonly Size[], rest: boolean): string => {
    const open = sizes.filter((size) => typeof size !== "number");
    if (rest && open.length === 1 && !sizes.includes(0))
      return numbers(sizes.map((size) => (typeof size === "number" ? size : -1)));
    return sizes.length === 1 ? sized(sizes[0]!) : node("Concat", sizes.map(sized), { axis: { int: 0 } });
  };
  return { nodes, constants, list };
}
