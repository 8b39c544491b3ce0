/** Algebraic identities: for a value whose operands are already simple, an equal value that is cheaper, if there is one. */
import { isFloat, sameShape, size } from "../../tensor/index.ts";
import { isOp, withInputs } from "../graph.ts";
import { add, broadcastTo, constant, mul, permute, reshape, sub } from "../ops.ts";
import type { Op } from "../primitives.ts";
import { broadcastShapes } from "../shapes.ts";
import type { Value } from "../value.ts";

/** The number in a constant of one element; undefined for anything else, and for int64, which may not fit. */
export function scalarOf(v: Value): number | undefined {
  if (!isOp(v, "constant") || v.dtype === "int64" || size(v.shape) !== 1) return undefined;
  return Number(v.attrs.value.data[0]);
}

/** `x`, if the other operand of an operation is the number that changes nothing and its shape does not matter. */
function neutral(result: Value, x: Value, other: Value, number: number): Value | undefined {
  return scalarOf(other) === number && sameShape(x.shape, result.shape) ? x : undefined;
}

/** Operands that were repeated only to be combined with a large one: the operation repeats them itself. */
function withoutBroadcasts(v: Value): Value | undefined {
  if (!v.inputs.some((x) => isOp(x, "broadcastTo"))) return undefined;
  const inputs = [...v.inputs];
  for (const [i, x] of inputs.entries()) {
    if (!isOp(x, "broadcastTo")) continue;
    inputs[i] = x.inputs[0]!;
    if (
      !sameShape(
        broadcastShapes(
          v.op,
          inputs.map((other) => other.shape),
        ),
        v.shape,
      )
    )
      inputs[i] = x;
  }
  return inputs.some((x, i) => x !== v.inputs[i]) ? withInputs(v, inputs) : undefined;
}

/** (x·a)·b = x·(a·b) for scalar floats a and b. */
function scaledTwice(v: Value): Value | undefined {
  const [x, b] = v.inputs as [Value, Value];
  const outer = scalarOf(b);
  if (outer === undefined || !isFloat(v.dtype) || !isOp(x, "mul") || b.shape.length > 0) return undefined;
  const [inner, a] = x.inputs as [Value, Value];
  const factor = scalarOf(a);
  if (factor === undefined || a.shape.length > 0) return undefined;
  return mul(inner, constant(factor * outer, v.dtype));
}

/** The number of a product goes to the right, so that other rules look in one place. */
function numberLast(v: Value): Value | undefined {
  const [x, y] = v.inputs as [Value, Value];
  return scalarOf(x) !== undefined && scalarOf(y) === undefined ? withInputs(v, [y, x]) : undefined;
}

type Rule<P extends Op> = (v: Value<P>) => Value | undefined;

const rules: { readonly [P in Op]?: Rule<P> } = {
  neg: ({ inputs: [x] }) => (isOp(x!, "neg") ? x.inputs[0]! : undefined),
  cast: (v) => (v.inputs[0]!.dtype === v.dtype ? v.inputs[0]! : undefined),

  add: (v) => {
    const [x, y] = v.inputs as [Value, Value];
    if (isOp(y, "neg")) return sub(x, y.inputs[0]!);
    if (isOp(x, "neg")) return sub(y, x.inputs[0]!);
    return numberLast(v) ?? neutral(v, x, y, 0);
  },
  sub: (v) => {
    const [x, y] = v.inputs as [Value, Value];
    return isOp(y, "neg") ? add(x, y.inputs[0]!) : neutral(v, x, y, 0);
  },
  mul: (v) => numberLast(v) ?? neutral(v, v.inputs[0]!, v.inputs[1]!, 1) ?? scaledTwice(v),
  div: (v) => neutral(v, v.inputs[0]!, v.inputs[1]!, 1),
  where: (v) => {
    const [condition, x, y] = v.inputs as [Value, Value, Value];
    const always = scalarOf(condition);
    return always === undefined ? undefined : broadcastTo(always ? x : y, v.shape);
  },

  reshape: ({ inputs: [x], shape }) => {
    if (isOp(x!, "reshape")) return reshape(x.inputs[0]!, shape);
    return sameShape(x!.shape, shape) ? x : undefined;
  },
  permute: ({ inputs: [x], attrs: { perm } }) => {
    if (perm.every((p, i) => p === i)) return x;
    if (isOp(x!, "permute")) {
      const inner = x.attrs.perm;
      return permute(
        x.inputs[0]!,
        perm.map((p) => inner[p]!),
      );
    }
    return undefined;
  },
  broadcastTo: ({ inputs: [x], shape }) => {
    if (isOp(x!, "broadcastTo")) return broadcastTo(x.inputs[0]!, shape);
    return sameShape(x!.shape, shape) ? x : undefined;
  },
  slice: ({ inputs: [x], shape }) => (sameShape(x!.shape, shape) ? x : undefined),
  pad: ({ inputs: [x], shape }) => (sameShape(x!.shape, shape) ? x : undefined),
  concat: ({ inputs }) => (inputs.length === 1 ? inputs[0] : undefined),
  sum: ({ inputs: [x], attrs: { axes }, shape }) =>
    axes.every((a) => x!.shape[a] === 1) ? reshape(x!, shape) : undefined,
  reduceMax: ({ inputs: [x], attrs: { axes }, shape }) =>
    axes.every((a) => x!.shape[a] === 1) ? reshape(x!, shape) : undefined,
};

const BROADCASTING: ReadonlySet<Op> = new Set<Op>([
  "add",
  "sub",
  "mul",
  "div",
  "maximum",
  "minimum",
  "compare",
  "where",
]);

/** An equal, cheaper value, or undefined when no rule applies. */
export function simplify(v: Value): Value | undefined {
  const rule = rules[v.op] as Rule<Op> | undefined;
  return rule?.(v) ?? (BROADCASTING.has(v.op) ? withoutBroadcasts(v) : undefined);
}
