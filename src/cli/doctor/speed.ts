/** How fast this machine is, in a second or two each: products of matrices on every engine, pictures decoded. */
import { graph, input, matmul } from "../../graph/index.ts";
import { decodeImage } from "../../image/index.ts";
import { compile, type DeviceName, openDevice } from "../../runtime/index.ts";
import { fromNumbers } from "../../tensor/index.ts";
import { type Finding, failed } from "./finding.ts";

const SIDE = 768;
const MEASURE_MS = 500;

/** A product of two square matrices, again and again. */
export async function matmulSpeed(name: DeviceName, signal: AbortSignal): Promise<Finding> {
  const called = `speed ${name}`;
  try {
    const device = await openDevice(name);
    const [x, w] = [input("x", [SIDE, SIDE]), input("w", [SIDE, SIDE])];
    using executable = await compile(graph("speed", { y: matmul(x, w) }), device);
    const square = fromNumbers(
      Array.from({ length: SIDE ** 2 }, (_, i) => (i % 7) - 3),
      [SIDE, SIDE],
      "float32",
    );
    const ms = await repeat(() => executable.run({ x: square, w: square }), signal);
    return {
      name: called,
      status: "ok",
      found: `${((2 * SIDE ** 3) / ms / 1e6).toFixed(0)} GFLOP/s (products of ${SIDE} × ${SIDE}, float32)`,
    };
  } catch (error) {
    signal.throwIfAborted();
    return failed(called, "warning", error);
  }
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
