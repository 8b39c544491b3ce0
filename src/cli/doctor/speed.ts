/** How fast this machine is, in a second or two each: a product and a training step on every engine, pictures decoded. */
import { costOf, graph, input, matmul, mean, mul, type Program, relu, sub } from "../../graph/index.ts";
import { decodeImage } from "../../image/index.ts";
import { gradients, sgd } from "../../optim/index.ts";
import { compile, type Device, type DeviceName, openDevice, State } from "../../runtime/index.ts";
import { fromNumbers, type Tensor } from "../../tensor/index.ts";
import { type Finding, failed } from "./finding.ts";

const SIDE = 768;
const MEASURE_MS = 500;

/** A product of two square matrices, and a small training step, again and again. */
export async function deviceSpeed(name: DeviceName, signal: AbortSignal): Promise<Finding> {
  const called = `speed ${name}`;
  try {
    const device = await openDevice(name);
    const product = await productSpeed(device, signal);
    signal.throwIfAborted();
    const step = await stepSpeed(device, signal);
    const found = `products ${product.toFixed(0)} GFLOP/s, training ${step.toFixed(0)} GFLOP/s (side ${SIDE}, float32)`;
    return { name: called, status: "ok", found };
  } catch (error) {
    signal.throwIfAborted();
    return failed(called, "warning", error);
  }
}

const matrix = (rows: number, columns: number, scale = 1): Tensor =>
  fromNumbers(
    Array.from({ length: rows * columns }, (_, i) => scale * ((i % 7) - 3)),
    [rows, columns],
  );

async function productSpeed(device: Device, signal: AbortSignal): Promise<number> {
  const [x, w] = [input("x", [SIDE, SIDE]), input("w", [SIDE, SIDE])];
  using executable = await compile(graph("speed", { y: matmul(x, w) }), device);
  const square = matrix(SIDE, SIDE);
  const ms = await repeat(() => executable.run({ x: square, w: square }), signal);
  return (2 * SIDE ** 3) / ms / 1e6;
}

/** Two layers with their gradients and the update of their weights, which stay on the device. */
async function stepSpeed(device: Device, signal: AbortSignal): Promise<number> {
  const parameters = { v: input("v", [SIDE, 2 * SIDE]), w: input("w", [2 * SIDE, SIDE]) };
  const x = input("x", [SIDE, SIDE]);
  const difference = sub(matmul(relu(matmul(x, parameters.v)), parameters.w), x);
  const loss = mean(mul(difference, difference));
  const { updates, initial } = sgd(parameters, gradients(loss, parameters));
  const program: Program = { name: "speed of training", outputs: { loss }, updates };
  using state = new State(device);
  state.writeAll({ v: matrix(SIDE, 2 * SIDE, 1e-2), w: matrix(2 * SIDE, SIDE, 1e-2), ...initial });
  using step = await compile(program, device, { state, purpose: "training" });
  const feeds = { x: matrix(SIDE, SIDE, 1e-1), lr: fromNumbers([1e-6], []) };
  const ms = await repeat(
    () => step.run(Object.fromEntries(step.feeds.map((feed) => [feed, feeds[feed as "x"]]))),
    signal,
  );
  const { flops } = costOf(graph("step", { loss, ...updates }));
  return flops / ms / 1e6;
}

/** JPEG files of 640 × 480, one after another. */
export async function decodeSpeed(signal: AbortSignal): Promise<Finding> {
  const { default: sharp } = await import("sharp");
  const noise = Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => (i * 31 + (i >> 7) * 17) & 127);
  const jpeg = await sharp(noise, { raw: { width: 640, height: 480, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
  const ms = await repeat(() => decodeImage(jpeg), signal);
  return {
    name: "speed pictures",
    status: "ok",
    found: `${(1000 / ms).toFixed(0)} a second (JPEG, 640 × 480, one thread)`,
  };
}

/** Milliseconds of one call: the best of half a second, after one to warm up. */
async function repeat(work: () => Promise<unknown>, signal: AbortSignal): Promise<number> {
  await work();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + MEASURE_MS;
  do {
    signal.throwIfAborted();
    const begun = performance.now();
    await work();
    best = Math.min(best, performance.now() - begun);
  } while (performance.now() < end);
  return best;
}
