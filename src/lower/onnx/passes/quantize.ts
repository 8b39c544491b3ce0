/**
 * Dynamic 8-bit quantisation, as ONNX Runtime's `quantize_dynamic` does it with signed weights and a factor for each channel: products with
 * fixed weights multiply whole numbers, activations are rounded while the model runs. Look-up tables are kept in 8 bits too, with a
 * factor for each row. Everything else stays float32. The chain of nodes is the one that ONNX Runtime fuses into one kernel.
 */
import { EngineError } from "../../../errors.ts";
import { type Tensor, tensor } from "../../../tensor/index.ts";
import { type Draft, type FixedNumbers, float32Of, type Rewriter, rewriter } from "../draft.ts";
import { DATA_TYPES, type OnnxNode } from "../schema.ts";

/** How weights are rounded. */
export interface QuantizeOptions {
  /**
   * Weights in 7 bits. Processors without VNNI (before about 2019) add pairs of products in 16 bits, which overflow where many weights and
   * activations are near their largest; ONNX Runtime calls it reduce_range.
   */
  readonly reduceRange?: boolean | undefined;
}

interface Quantized {
  readonly values: FixedNumbers & { dtype: "int8" };
  /** Whole numbers times these are the weights. */
  readonly factors: Tensor<"float32">;
}

/** Look-up tables with fewer rows stay as they are. */
const LEAST_ROWS = 64;

/** The model with 8-bit weights. Throws EngineError when it has no product with fixed weights. */
export function quantize(draft: Draft, { reduceRange = false }: QuantizeOptions = {}): Draft {
  const top = reduceRange ? 63 : 127;
  const w = rewriter(draft);
  let products = 0;
  for (const node of draft.nodes) {
    const weight = matrix(draft.initializers.get(node.inputs[1] ?? ""));
    const table = matrix(draft.initializers.get(node.inputs[0]!));
    if (weight && isProduct(node)) {
      writeProduct(w, node, weight, top);
      products++;
    } else if (table && isLookUp(node) && table.shape[0]! >= LEAST_ROWS) writeLookUp(w, node, table, top);
    else w.nodes.push(node);
  }
  if (products === 0)
    throw new EngineError(
      `${draft.name}: 8 bits: expected products with fixed weights, found none`,
      "give `weights` when compiling: what is fed at each run is not quantised",
    );
  return w.done();
}

const matrix = (t: FixedNumbers | undefined): Tensor<"float32"> | undefined =>
  t?.shape.length === 2 ? float32Of(t) : undefined;

const isProduct = ({ op, attrs }: OnnxNode): boolean =>
  op === "MatMul" || (op === "Gemm" && !attrs.transA && !attrs.beta);

const isLookUp = ({ op, attrs: { axis } }: OnnxNode): boolean =>
  op === "Gather" && (!axis || ("int" in axis && axis.int === 0));

const FLOAT = { to: { int: DATA_TYPES.float32 } } as const;

/** x·W + b as (x₈·W₈)·(factor of x · factors of W) + b. */
function writeProduct(w: Rewriter, node: OnnxNode, weight: Tensor<"float32">, top: number): void {
  const [x, name, bias] = node.inputs as [string, string, string?];
  const { transB, alpha } = node.attrs;
  const times = alpha && "float" in alpha ? alpha.float : 1;
  const fixed = w.once(`${name} ${transB ? "transposed" : ""} ${times}`, () => {
    const { values, factors } = byRow(transB ? weight : transposed(weight), top, times);
    return { values: w.numbers(`${name}:int8`, transposed(values)), factors: w.numbers(`${name}:scale`, factors) };
  });
  const live = w.once(`rounded ${x}`, () => {
    const [factor, zero] = [w.fresh(`${x}:scale`), w.fresh(`${x}:zero`)];
    return { values: w.node("DynamicQuantizeLinear", [x], `${x}:uint8`, { more: [factor, zero] }), factor, zero };
  });
  const at = node.name;
  const whole = w.node("MatMulInteger", [live.values, fixed.values, live.zero], `${at}:integer`);
  const float = w.node("Cast", [whole], `${at}:float`, { attrs: FLOAT });
  const factors = w.node("Mul", [live.factor, fixed.factors], `${at}:scale`);
  const output = node.outputs[0]!;
  const scaled = w.node("Mul", [float, factors], `${at}:scaled`, bias ? {} : { output });
  if (bias) w.node("Add", [scaled, bias], `${at}:biased`, { output });
}

/** Rows of an 8-bit table, each times its factor. */
function writeLookUp(w: Rewriter, node: OnnxNode, table: Tensor<"float32">, top: number): void {
  const [name, ids] = node.inputs as [string, string];
  const fixed = w.once(`table ${name}`, () => {
    const { values, factors } = byRow(table, top, 1);
    return {
      values: w.numbers(`${name}:int8`, values),
      factors: w.numbers(`${name}:scale`, { ...factors, shape: [table.shape[0]!, 1] }),
    };
  });
  const at = node.name;
  const float = w.node("Cast", [w.node("Gather", [fixed.values, ids], `${at}:int8`)], `${at}:float`, { attrs: FLOAT });
  const factors = w.node("Gather", [fixed.factors, ids], `${at}:scale`);
  w.node("Mul", [float, factors], `${at}:scaled`, { output: node.outputs[0]! });
}

/** Rows (N, K) as whole numbers from −top to top, with the factor of each row, which also takes in `times`. */
function byRow({ shape, data }: Tensor<"float32">, top: number, times: number): Quantized {
  const [rows, width] = shape as [number, number];
  const values = new Int8Array(data.length);
  const factors = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * width, (row + 1) * width];
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, Math.abs(data[i]!));
    factors[row] = (most / top) * times;
    const scale = most === 0 ? 0 : top / most;
    for (let i = from; i < to; i++) values[i] = Math.round(data[i]! * scale);
  }
  return { values: { dtype: "int8", shape, data: values }, factors: tensor("float32", [rows], factors) };
}

/** The transposed matrix. */
function transposed<T extends FixedNumbers>(t: T): T {
  const [rows, columns] = t.shape as [number, number];
  const data = t.data.slice() as Float32Array;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) data[c * rows + r] = t.data[r * columns + c] as number;
  return { ...t, shape: [columns, rows], data };
}
