/**
 * aᵀ × b, the gradient of a weight, with the transposes outside the product. ONNX Runtime's kernel for transposed left
 * operands transposes small panels again for each block of columns; one Transpose and a plain product take a quarter less time.
 */
import { isOp, type Value } from "../../../graph/index.ts";
import { type Shape, sameShape, size } from "../../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Fusion } from "../fusion.ts";
import { swapLastTwo } from "../rule.ts";
import { behind, product, times } from "./product.ts";

/** Applies where only the left operand is transposed and no batch axis is broadcast. */
export const transposedProduct: Fusion = {
  name: "transposedProduct",
  match: (value, around) => {
    if (isOp(value, "reshape")) return undefined;
    const found = behind(value, around);
    if (!found) return undefined;
    const { a, b, attrs } = product(found.matmul, found.alpha);
    if (!attrs.transA || attrs.transB || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) return undefined;
    const { alpha } = attrs;
    return {
      operands: [a, b],
      emit: (e, [x, y]) => {
        const z = transposed(e, { name: x!, of: a }, { name: y!, of: b }, alpha);
        return e.reshape(z, found.matmul.shape, value.shape);
      },
    };
  },
};

interface Named {
  readonly name: string;
  readonly of: Value;
}

/** aᵀb, or (bᵀa)ᵀ where that has fewer rows: the kernel is faster with the small matrix on the left. */
function transposed(e: Emitter, a: Named, b: Named, alpha: { float: number } | undefined): string {
  const [rows, columns] = [a.of.shape.at(-1)!, b.of.shape.at(-1)!];
  if (rows <= columns) return turned(e, a, b, alpha);
  const shape = [...a.of.shape.slice(0, -2), columns, rows];
  const z = turned(e, b, a, alpha);
  return e.node("Transpose", [z], { perm: { ints: swapLastTwo(shape.length) } });
}

/** xᵀy through a Transpose that stands between two reshapes, where the engine does not fuse it back into the product. */
function turned(e: Emitter, x: Named, y: Named, alpha: { float: number } | undefined): string {
  const lead = x.of.shape.slice(0, -2);
  const batch = size(lead);
  const [inner, rows] = x.of.shape.slice(-2) as [number, number];
  const columns = y.of.shape.at(-1)!;
  const flat = (shape: Shape): Shape => (lead.length === 0 ? shape : [1, batch, ...shape]);
  const open = e.reshape(x.name, x.of.shape, [batch, inner, rows]);
  const swapped = e.node("Transpose", [open], { perm: { ints: [0, 2, 1] } });
  const left = e.reshape(swapped, [batch, rows, inner], flat([rows, inner]));
  const right = e.reshape(y.name, y.of.shape, flat([inner, columns]));
  const z = multiply(e, [left, right], alpha, lead.length > 0);
  return e.reshape(z, flat([rows, columns]), [...lead, rows, columns]);
}

function multiply(e: Emitter, inputs: string[], alpha: { float: number } | undefined, batched: boolean): string {
  if (!alpha) return e.node("MatMul", inputs);
  if (!batched) return e.node("Gemm", inputs, { alpha });
  if (e.target === "webgpu") return times(e, inputs, alpha);
  return e.node("FusedMatMul", inputs, { alpha }, { domain: "com.microsoft" });
}
