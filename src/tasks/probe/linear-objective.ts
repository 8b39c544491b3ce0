/** Σ log-loss of a linear classifier and its gradient, in float64 on a device, in blocks of rows. */
import {
  add,
  type Graph,
  graph,
  input,
  log,
  matmul,
  mul,
  reduceMax,
  softmax,
  sub,
  sum,
  type Value,
} from "../../graph/index.ts";
import { type Buffer, compile, type Device, type Executable } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** The most rows of one run on the device. */
const BLOCK = 16384;
/** The most rows of one product: few enough that they are still in the cache when their gradient is taken. */
const SLICE = 768;

/** The data of a linear classifier. */
export interface LinearData {
  /** (N, D), row-major. */
  readonly x: ArrayLike<number>;
  readonly width: number;
  /** Class of each row, 0..K−1. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** Σ −log softmax(x·w + b)[label] over all rows, and what is needed to lower it. */
export interface LinearObjective extends AsyncDisposable {
  /** `w` (D, K) and `b` (K) → the sum and its gradients. */
  evaluate(w: Float64Array, b: Float64Array): Promise<{ loss: number; w: Float64Array; b: Float64Array }>;
}

/** Rows of one run: the tensors of its slices by the names of the graph's inputs. */
interface Block {
  readonly executable: Executable;
  readonly slices: Readonly<Record<string, Buffer>>;
}

/** Puts the data on the device; `shift` (D) is taken from every row first. */
export async function linearObjective(device: Device, data: LinearData, shift: Float64Array): Promise<LinearObjective> {
  const N = data.labels.length;
  const executables = new Map<number, Executable>();
  const blocks: Block[] = [];
  for (let from = 0; from < N; from += BLOCK) {
    const rows = Math.min(BLOCK, N - from);
    const sizes = sliceSizes(rows);
    const executable = executables.get(rows) ?? (await compile(lossGraph(sizes, data.width, data.classes), device));
    executables.set(rows, executable);
    blocks.push({ executable, slices: uploaded(device, data, shift, { from, sizes }) });
  }
  return {
    evaluate: (w, b) => sumOver(blocks, w, b),
    async [Symbol.asyncDispose]() {
      for (const { slices } of blocks) for (const buffer of Object.values(slices)) buffer.dispose();
      for (const executable of executables.values()) executable.dispose();
    },
  };
}

/** Numbers of rows that differ by one at most. */
function sliceSizes(rows: number): number[] {
  const count = Math.ceil(rows / SLICE);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 1) * rows) / count) - Math.floor((i * rows) / count));
}

function uploaded(
  device: Device,
  { x, width, labels, classes }: LinearData,
  shift: Float64Array,
  { from, sizes }: { readonly from: number; readonly sizes: readonly number[] },
): Record<string, Buffer> {
  const slices: Record<string, Buffer> = {};
  let start = from;
  for (const [i, rows] of sizes.entries()) {
    const part = new Float64Array(rows * width);
    const targets = new Float64Array(rows * classes);
    for (let r = 0; r < rows; r++) {
      const at = (start + r) * width;
      for (let d = 0; d < width; d++) part[r * width + d] = x[at + d]! - shift[d]!;
      targets[r * classes + labels[start + r]!] = 1;
    }
    slices[`x${i}`] = device.upload({ dtype: "float64", shape: [rows, width], data: part });
    slices[`targets${i}`] = device.upload({ dtype: "float64", shape: [rows, classes], data: targets });
    start += rows;
  }
  return slices;
}

/** The gradient is written out: what `grad` would make of a logSoftmax passes over (N, K) three times more. */
function lossGraph(sizes: readonly number[], width: number, classes: number): Graph {
  const w = input("w", [width, classes], "float64");
  const b = input("b", [1, classes], "float64");
  const parts = sizes.map((rows, i) => {
    const x = input(`x${i}`, [rows, width], "float64");
    const targets = input(`targets${i}`, [rows, classes], "float64");
    const z = add(matmul(x, w), b);
    const p = softmax(z);
    const logSumExp = sub(reduceMax(z, [1]), log(reduceMax(p, [1]))); // as p = exp(z − logSumExp), of the greatest too
    const error = sub(p, targets);
    return {
      loss: sum(sub(logSumExp, sum(mul(targets, z), [1]))), // row by row: their own sums are large and nearly equal
      dw: matmul(x, error, { transposeA: true }),
      db: sum(error, [0], { keep: true }),
    };
  });
  const total = (name: "loss" | "dw" | "db"): Value => parts.map((part) => part[name]).reduce((a, c) => add(a, c));
  return graph("probe", { loss: total("loss"), dw: total("dw"), db: total("db") });
}

async function sumOver(blocks: readonly Block[], w: Float64Array, b: Float64Array) {
  const K = b.length;
  const feeds: Record<"w" | "b", Tensor> = {
    w: { dtype: "float64", shape: [w.length / K, K], data: w },
    b: { dtype: "float64", shape: [1, K], data: b },
  };
  const total = { loss: 0, w: new Float64Array(w.length), b: new Float64Array(K) };
  for (const { executable, slices } of blocks) {
    const { loss, dw, db } = await executable.run({ ...feeds, ...slices });
    total.loss += (loss!.data as Float64Array)[0]!;
    addTo(total.w, dw!.data as Float64Array);
    addTo(total.b, db!.data as Float64Array);
  }
  return total;
}

function addTo(sum: Float64Array, part: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}
