/** The largest micro-batch whose step fits into a device's memory, by the estimate of `measure.ts`. */
import { totalmem } from "node:os";
import type { Device, DeviceName } from "../../runtime/index.ts";
import type { Fit, Recipe, StageMeasure } from "../recipe/index.ts";
import { tables as own, type Tables } from "../tables.ts";
import { measureStage } from "./measure.ts";

/** Of memory, what a step may take: the estimate and what an engine takes beyond it differ by about a tenth. */
const SHARE = 0.9;

/** Devices with memory of their own. */
const APART: ReadonlySet<string> = new Set<DeviceName>(["webgpu", "xla:cuda", "xla:rocm", "xla:tpu"]);

/** Bytes that steps may take on a device: of its own memory, undefined where it does not count it, or of the machine's or container's. */
export function memoryFor(device: Device): number | undefined {
  const limit = device.memory?.()?.limit;
  if (limit !== undefined) return SHARE * limit;
  if (APART.has(device.name)) return undefined;
  const machine = totalmem();
  return SHARE * Math.min(machine, process.constrainedMemory?.() || machine);
}

interface FitOptions {
  /** Bytes; see `memoryFor`. */
  readonly available: number;
  /** What the recipe's own micro-batches take. */
  readonly measured: StageMeasure;
  readonly workers?: number;
  readonly tables?: Tables;
}

/**
 * Tries the numbers of micro-batches into which one worker's share of the batch divides. Bytes are nearly a line in samples, so a line
 * through two points says where to look, and the graphs of what it says are measured.
 */
export async function largestFit(recipe: Recipe, name: string, options: FitOptions): Promise<Fit> {
  const { available, measured, workers = 1, tables = own } = options;
  const stage = recipe.stages[name]!;
  const whole = stage.batchSize / workers;
  const known = new Map([[stage.gradientAccumulationSteps, total(measured)]]);
  const bytesAt = async (steps: number): Promise<number> => {
    const other = { ...stage, gradientAccumulationSteps: steps };
    const changed: Recipe = { ...recipe, stages: { ...recipe.stages, [name]: other } };
    const bytes = known.get(steps) ?? total(await measureStage(changed, name, tables, workers));
    known.set(steps, bytes);
    return bytes;
  };
  const found = (steps: number, bytes: number): Fit => ({ available, samples: whole / steps, steps, bytes });
  const fits = async (steps: number): Promise<boolean> => (await bytesAt(steps)) <= available;
  const tooFew = (await fits(stage.gradientAccumulationSteps)) ? 1 : stage.gradientAccumulationSteps;
  if (await fits(tooFew)) return found(tooFew, await bytesAt(tooFew));
  const least = await bytesAt(whole);
  if (least > available) return { available, samples: 0, steps: whole, bytes: least };
  const each = ((await bytesAt(tooFew)) - least) / (whole / tooFew - 1);
  const all = divisors(whole).filter((steps) => steps > tooFew);
  let at = all.findIndex((steps) => least + each * (whole / steps - 1) <= available);
  while (!(await fits(all[at]!))) at++;
  while (at > 0 && (await fits(all[at - 1]!))) at--;
  return found(all[at]!, await bytesAt(all[at]!));
}

const total = ({ memory }: StageMeasure): number => Object.values(memory).reduce((sum, n) => sum + n, 0);

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
