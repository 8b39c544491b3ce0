/** Σ log-loss of a linear classifier and its gradient, in float64 on a device, in blocks of rows. */
import { add, grad, graph, input, logSoftmax, matmul, mul, neg, sum } from "../../graph/index.ts";
import { type Buffer, compile, type Device, type Executable } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** The most rows that go through the device at once. */
const BLOCK = 16384;

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

interface Block {
  readonly x: Buffer;
  readonly targets: Buffer;
}

/** Puts the data on the device; `shift` (D) is taken from every row first. Rows that fill up the last block weigh nothing. */
export async function linearObjective(
  device: Device,
  { x, width, labels, classes }: LinearData,
  shift: Float64Array,
): Promise<LinearObjective> {
  const N = labels.length;
  const rows = Math.ceil(N / Math.ceil(N / BLOCK));
  const executable = await compile(lossGraph(rows, width, classes), device);
  const blocks: Block[] = [];
  for (let from = 0; from < N; from += rows) {
    const part = new Float64Array(rows * width);
    const targets = new Float64Array(rows * classes);
    for (let r = 0; r < Math.min(rows, N - from); r++) {
      for (let d = 0; d < width; d++) part[r * width + d] = x[(from + r) * width + d]! - shift[d]!;
      targets[r * classes + labels[from + r]!] = 1;
    }
    blocks.push({
      x: device.upload({ dtype: "float64", shape: [rows, width], data: part }),
      targets: device.upload({ dtype: "float64", shape: [rows, classes], data: targets }),
    });
  }
  return {
    evaluate: (w, b) => sumOver(executable, blocks, w, b),
    async [Symbol.asyncDispose]() {
      for (const block of blocks) for (const buffer of [block.x, block.targets]) buffer.dispose();
      executable.dispose();
    },
  };
}

function lossGraph(rows: number, width: number, classes: number) {
  const x = input("x", [rows, width], "float64");
  const targets = input("targets", [rows, classes], "float64");
  const w = input("w", [width, classes], "float64");
  const b = input("b", [1, classes], "float64");
  const loss = neg(sum(mul(targets, logSoftmax(add(matmul(x, w), b)))));
  const [dw, db] = grad(loss, [w, b]);
  return graph("probe", { loss, dw: dw!, db: db! });
}

async function sumOver(executable: Executable, blocks: readonly Block[], w: Float64Array, b: Float64Array) {
  const K = b.length;
  const feeds: Record<"w" | "b", Tensor> = {
    w: { dtype: "float64", shape: [w.length / K, K], data: w },
    b: { dtype: "float64", shape: [1, K], data: b },
  };
  const total = { loss: 0, w: new Float64Array(w.length), b: new Float64Array(K) };
  for (const block of blocks) {
    const { loss, dw, db } = await executable.run({ ...feeds, ...block });
    total.loss += (loss!.data as Float64Array)[0]!;
    addTo(total.w, dw!.data as Float64Array);
    addTo(total.b, db!.data as Float64Array);
  }
  return total;
}

function addTo(sum: Float64Array, part: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}
