/** Matrix products with what they absorb: transposes, a constant factor, and for two matrices a bias. */
import { isOp, type Value } from "../../../graph/index.ts";
import { sameShape } from "../../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Around, Fusion, Step } from "../fusion.ts";
import { swapped } from "../rules/kernels.ts";
import { eitherWay, factor, scaled } from "./match.ts";

const INT_1 = { int: 1 } as const;

/** A matmul with all that it absorbs, as attributes of Gemm and FusedMatMul. */
interface Product {
  readonly a: Value;
  readonly b: Value;
  readonly attrs: { readonly transA?: { int: 1 }; readonly transB?: { int: 1 }; readonly alpha?: { float: number } };
}

export function product(v: Value<"matmul">, alpha: number): Product {
  const a = factor(v.inputs[0]!, v.attrs.transposeA);
  const b = factor(v.inputs[1]!, v.attrs.transposeB);
  const scale = alpha * a.alpha * b.alpha;
  const attrs = {
    ...(a.transposed && { transA: INT_1 }),
    ...(b.transposed && { transB: INT_1 }),
    ...(scale !== 1 && { alpha: { float: scale } }),
  };
  return { a: a.v, b: b.v, attrs };
}

/** The product behind a value, where the value is the product, a constant multiple, or a reshape that nobody else reads. */
export function behind(value: Value, around: Around): { matmul: Value<"matmul">; alpha: number } | undefined {
  let [v, alpha] = [value, 1];
  for (;;) {
    if (v !== value && around.uses(v) > 1) return undefined;
    if (isOp(v, "matmul")) return { matmul: v, alpha };
    const multiple = scaled(v);
    if (multiple) {
      alpha *= multiple.c;
      v = multiple.x;
    } else if (isOp(v, "reshape")) v = v.inputs[0]!;
    else return undefined;
  }
}

export const isMatrixProduct = (v: Value): boolean => v.inputs.every((operand) => operand.shape.length === 2);

/** Two matrices: Gemm; a plain product stays a MatMul. */
export const gemm: Fusion = {
  name: "gemm",
  match: (value, around) => {
    if (isOp(value, "reshape")) return undefined;
    const found = behind(value, around);
    if (!found || !isMatrixProduct(found.matmul)) return undefined;
    const { a, b, attrs } = product(found.matmul, found.alpha);
    return {
      operands: [a, b],
      emit: (e, inputs) => {
        const y = Object.keys(attrs).length === 0 ? e.node("MatMul", inputs) : e.node("Gemm", inputs, attrs);
        return e.reshape(y, found.matmul.shape, value.shape);
      },
    };
  },
};

/** Two matrices and a row that is added to each row of the result: the bias of a linear layer. */
export const gemmBias: Fusion = {
  name: "gemmBias",
  match: (value, around) => {
    if (!isOp(value, "add")) return undefined;
    for (const [x, bias] of eitherWay(value)) {
      const found = around.uses(x) === 1 ? behind(x, around) : undefined;
      if (!found || !isMatrixProduct(found.matmul)) continue;
      const width = found.matmul.shape[1]!;
      const isRow = bias.shape.at(-1) === width && bias.shape.slice(0, -1).every((d) => d === 1);
      if (isRow && sameShape(x.shape, value.shape) && x.shape.at(-1) === width)
        return withBias(value, found.matmul, found.alpha, bias);
    }
    return undefined;
  },
};

function withBias(value: Value, matmul: Value<"matmul">, alpha: number, bias: Value): Step {
  const { a, b, attrs } = product(matmul, alpha);
  return {
    operands: [a, b, bias],
    emit: (e, [x, w, c]) => {
      const row = e.reshape(c!, bias.shape, [matmul.shape[1]!]);
      return e.reshape(e.node("Gemm", [x!, w!, row], attrs), matmul.shape, value.shape);
    },
  };
}

/** Batches of matrices: FusedMatMul, which takes transposes and a factor; nodes of their own where the target has no FusedMatMul. */
export const fusedMatMul: Fusion = {
  name: "fusedMatMul",
  match: (value, around) => {
    if (isOp(value, "reshape")) return undefined;
    const found = behind(value, around);
    if (!found || isMatrixProduct(found.matmul)) return undefined;
    const absorbed = product(found.matmul, found.alpha);
    return {
      operands: [absorbed.a, absorbed.b],
      emit: (e, inputs) => e.reshape(fused(e, inputs, absorbed), found.matmul.shape, value.shape),
    };
  },
};

function fused(e: Emitter, inputs: readonly string[], { a, b, attrs }: Product): string {
  if (Object.keys(attrs).length === 0) return e.node("MatMul", inputs);
  if (e.target === "any") return e.node("FusedMatMul", inputs, attrs, { domain: "com.microsoft" });
  const [x, y] = inputs as [string, string];
  return times(e, [attrs.transA ? swapped(e, x, a) : x, attrs.transB ? swapped(e, y, b) : y], attrs.alpha);
}

/** A product of batches and its factor, without a FusedMatMul. */
export function times(e: Emitter, inputs: readonly string[], alpha: { float: number } | undefined): string {
  const y = e.node("MatMul", inputs);
  return alpha ? e.node("Mul", [y, e.scalar(alpha.float, "float32")]) : y;
}
