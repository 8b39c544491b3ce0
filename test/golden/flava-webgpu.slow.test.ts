/**
 * The tiny FLAVA on the device `webgpu` of Node, nothing of it on the processor: losses and gradients of the reference, and twenty training
 * steps beside the device `cpu`. Slow: a GPU of software takes seconds for a step, and a minute to compile its shaders.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/optim/index.ts";
import { openDevice } from "../../src/runtime/index.ts";
import { toNumbers } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { TWENTY_STEPS } from "../support/tolerances.ts";
import { ALONE, openWebGpu } from "../support/webgpu-device.ts";
import { evaluate, evaluateOn, norm } from "./run.ts";
import { type PairExpectation, pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters } from "./tiny-case.ts";
import { train } from "./train-steps.ts";

const webgpu = await openWebGpu(ALONE);
const TIMEOUT = { timeout: 1_800_000 };
const [A, B, , C] = pairExpectations as [PairExpectation, PairExpectation, PairExpectation, PairExpectation];

describe.skipIf(!webgpu)("the tiny FLAVA on webgpu", () => {
  for (const e of [A, B, C])
    it(`has the losses and gradients of the reference with ${e.name}`, TIMEOUT, async () => {
      const c = pairCase(tinyConfig, sizesOf(e));
      const values = { loss: c.objective.loss, ...c.objective.losses, ...gradients(c.objective.loss, c.params.values()) };
      const feeds = { ...tinyBatch(e.itmLabels), ...tinyParameters(c.params.specs()) };
      const [found, exact] = [await evaluateOn(webgpu!, values, feeds), evaluate(values, feeds)];
      for (const [loss, value] of Object.entries({ loss: e.total, ...e.losses }))
        expect(toNumbers(found[loss]!), loss).toBeAllclose([value], { rtol: 1e-4, atol: 0 });
      for (const [name, t] of Object.entries(exact)) {
        const difference = norm({ ...t, data: t.data.map((x, i) => x - Number(found[name]!.data[i])) });
        expect(difference, name).toBeLessThan(name.endsWith("key.bias") ? 1e-5 : 1e-4 * norm(t));
      }
    });

  it("trains twenty steps as the device cpu does, all of its state in place, in memory and threads that stay the same", TIMEOUT, async () => {
    const used: { bytes: number; threads: number }[] = [];
    const look = (): void => {
      used.push({ bytes: process.memoryUsage.rss(), threads: readdirSync("/proc/self/task").length });
    };
    const mine = await train(webgpu!, { steps: 20, onStep: look });
    const other = await train(await openDevice("cpu", { threads: 1 }), { steps: 20 });
    expect(mine.inPlace).toBe(mine.updates);
    expect(mine.losses).toBeAllclose(other.losses, TWENTY_STEPS.losses);
    for (const [name, numbers] of Object.entries(other.state))
      if (!name.includes("key.bias")) expect(mine.state[name]!, name).toBeAllclose(numbers, TWENTY_STEPS.elements);
    expect(used.at(-1)!.threads).toBe(used[3]!.threads);
    expect(used.at(-1)!.bytes / used[3]!.bytes).toBeLessThan(1.1);
  });
});
