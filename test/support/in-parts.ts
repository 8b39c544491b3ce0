/** Compares the step of a batch in parts, by workers and micro-batches, with the step of all of it. */
import { expect } from "vitest";
import type { Stage } from "../../src/pretrain/recipe/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { type Tensor, type Tolerance, toNumbers } from "../../src/tensor/index.ts";
import type { Batch } from "../../src/train/index.ts";
import { type StageCase, stageCase, type Updated, updates, updatesOnWorkers } from "./stage-case.ts";

/** How a batch is shared out. */
export type Split = readonly [workers: number, microBatches: number];

/** Of float64, through a few steps of Adam. What is 0 but for rounding stays below 1e-12. */
export const RTOL = 1e-10;
export const sameTensor = (t: Tensor): Tolerance => ({
  atol: 1e-12 + RTOL * Math.max(...toNumbers(t).map(Math.abs)),
});

/** With such an eps Adam's step is smooth where a gradient is near 0; the usual one divides rounding by rounding. */
const OPTIMIZER = { lr: 1e-3, eps: 1e-3 };

interface Changes {
  readonly splits?: readonly Split[];
  /** In how many micro-batches one worker makes what they are compared with; 1 unless said. */
  readonly whole?: number;
  readonly [field: string]: unknown;
}

/** Makes the same steps in one piece and in each of the splits; every worker must end with the same. */
export async function expectSameInParts(
  kind: Stage["kind"],
  batches: (one: StageCase) => Promise<Batch[]>,
  { splits = [[1, 4]], whole: micro = 1, ...changes }: Changes = {},
): Promise<Updated> {
  const device = await openDevice("interpret");
  const at = (parts: number): Promise<StageCase> =>
    stageCase(kind, { ...changes, gradientAccumulationSteps: parts, optimizer: OPTIMIZER });
  const given = await batches(await at(1));
  const whole = await updates(await at(micro), device, given);
  for (const [workers, microBatches] of splits)
    for (const [rank, found] of (await inParts(await at(microBatches), device, given, workers)).entries())
      expectSame(found, whole, `worker ${rank} of ${workers}, ${microBatches} micro-batches`);
  return whole;
}

const inParts = async (one: StageCase, device: Device, batches: Batch[], workers: number): Promise<Updated[]> =>
  workers === 1 ? [await updates(one, device, batches)] : updatesOnWorkers(one, device, batches, workers);

/** Throws unless metrics and state are those of `whole`, within rounding. */
export function expectSame(found: Updated, whole: Updated, where: string): void {
  for (const [i, metrics] of found.metrics.entries()) {
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(whole.metrics[i]!).sort());
    for (const [name, value] of Object.entries(whole.metrics[i]!))
      expect([metrics[name]!], `${where}, step ${i + 1}: ${name}`).toBeAllclose([value], { rtol: RTOL });
  }
  expect(Object.keys(found.tensors).sort()).toEqual(Object.keys(whole.tensors).sort());
  for (const [name, value] of Object.entries(whole.tensors))
    expect(found.tensors[name]!, `${where}: ${name}`).toBeAllclose(value, sameTensor(value));
}
