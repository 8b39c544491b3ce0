/** What the patterns have in common: constants, views, and looking through operations that cost nothing. */
import { isOp, type Value } from "../../../graph/index.ts";
import { sameShape, size } from "../../../tensor/index.ts";

/** The number of a constant with one element, else undefined. */
export function scalarOf(v: Value): number | undefined {
  return isOp(v, "constant") && size(v.shape) === 1 ? Number(v.attrs.value.data[0]) : undefined;
}

/** x and c where `v` is x·c with a constant c and x of v's shape. */
export function scaled(v: Value): { x: Value; c: number } | undefined {
  if (!isOp(v, "mul")) return undefined;
  const [a, b] = v.inputs as [Value, Value];
  for (const [x, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const c = scalarOf(factor);
    if (c !== undefined && sameShape(x.shape, v.shape)) return { x, c };
  }
  return undefined;
}

/** The two operands of a commutative operation, in both orders. */
export const eitherWay = (v: Value): readonly (readonly [Value, Value])[] => [
  [v.inputs[0]!, v.inputs[1]!],
  [v.inputs[1]!, v.inputs[0]!],
];

export const swapsLastTwo = (v: Value): v is Value<"permute"> =>
  isOp(v, "permute") &&
  v.attrs.perm.length >= 2 &&
  v.attrs.perm.every((p, i, { length: n }) => p === (i === n - 1 ? n - 2 : i === n - 2 ? n - 1 : i));

/** An operand of a product, seen through transposes of its last two axes and constant factors, which the product absorbs. */
export interface Factor {
  readonly v: Value;
  readonly transposed: boolean;
  readonly alpha: number;
}

export function factor(operand: Value, transposed: boolean): Factor {
  let [v, t, alpha] = [operand, transposed, 1];
  for (;;) {
    const product = scaled(v);
    if (swapsLastTwo(v)) {
      t = !t;
      v = v.inputs[0]!;
    } else if (isOp(v, "stopGradient")) v = v.inputs[0]!;
    else if (product) {
      alpha *= product.c;
      v = product.x;
    } else return { v, transposed: t, alpha };
  }
}
