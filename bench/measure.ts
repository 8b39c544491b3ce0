/** Small tools of the benchmarks: random tensors, times, and the one line a figure that they all print. */
import { readFileSync } from "node:fs";
import { random, type Shape, type Tensor, zerosLike } from "../src/tensor/index.ts";

/** Uniform in [−0.5, 0.5): zeros would flatter some kernels. */
export function noise(name: string, shape: Shape): Tensor<"float32"> {
  const t = zerosLike("float32", shape);
  const rng = random(1, `bench:${name}`);
  for (let i = 0; i < t.data.length; i++) t.data[i] = rng.uniform() - 0.5;
  return t;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Seconds of one call. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/**
 * Runs several things in turn, `rounds` times after a warm-up, so that a machine whose speed drifts slows them all alike.
 * Returns the seconds of each, in the order given, round by round.
 */
export async function interleave(works: readonly (() => Promise<unknown>)[], rounds: number): Promise<number[][]> {
  for (const work of works) await work();
  const times: number[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, work] of works.entries()) times[i]!.push(await seconds(work));
  return times;
}

/** Median over rounds of a ratio taken within each round. */
export const medianRatio = (a: readonly number[], b: readonly number[]): number => median(a.map((x, i) => x / b[i]!));

/** Highest resident memory of this process so far, in bytes. */
export function peakBytes(): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? Number.NaN) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

/** Whether an engine is missing or refuses. By its code: a device is of another copy of the classes than a benchmark. */
export const isEngineError = (error: unknown): error is Error => (error as { code?: unknown }).code === "E_ENGINE";

/** The form of every figure: `name: value`. */
export function figure(name: string, value: number, digits = 3): void {
  process.stdout.write(`${name}: ${value.toFixed(digits)}\n`);
}

/** Anything said beside the figures. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
