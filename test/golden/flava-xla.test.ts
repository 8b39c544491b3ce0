/** The tiny FLAVA on XLA in float32: one program with every loss and gradient, and training steps beside the device `cpu`. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/optim/index.ts";
import { openDevice } from "../../src/runtime/index.ts";
import { toNumbers } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { xla } from "../support/xla-device.ts";
import { evaluate, evaluateOn, norm } from "./run.ts";
import { type PairExpectation, pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters } from "./tiny-case.ts";
import { train } from "./train-steps.ts";

const TIMEOUT = { timeout: 240_000 };
const [A, B, , C] = pairExpectations as [PairExpectation, PairExpectation, PairExpectation, PairExpectation];

describe.skipIf(!xla)("the tiny FLAVA on xla:cpu", () => {
  for (const e of [A, B, C])
    it(`has the losses and gradients of the reference with ${e.name}`, TIMEOUT, async () => {
      const c = pairCase(tinyConfig, sizesOf(e));
      const values = { loss: c.objective.loss, ...c.objective.losses, ...gradients(c.objective.loss, c.params.values()) };
      const feeds = { ...tinyBatch(e.itmLabels), ...tinyParameters(c.params.specs()) };
      const [found, exact] = [await evaluateOn(xla!, values, feeds), evaluate(values, feeds)];
      for (const [loss, value] of Object.entries({ loss: e.total, ...e.losses }))
        expect(toNumbers(found[loss]!), loss).toBeAllclose([value], { rtol: 1e-4, atol: 0 });
      for (const [name, t] of Object.entries(exact)) {
        const difference = norm({ ...t, data: t.data.map((x, i) => x - Number(found[name]!.data[i])) });
        // attention ignores the key's bias: its gradient is 0 but for rounding
        expect(difference, name).toBeLessThan(name.endsWith("key.bias") ? 1e-5 : 1e-4 * norm(t));
      }
    });

  it("trains as the device cpu does, with all of its state donated", TIMEOUT, async () => {
    const [mine, other] = [await train(xla!), await train(await openDevice("cpu"))];
    expect(mine.losses).toBeAllclose(other.losses, { rtol: 1e-4, atol: 0 });
    for (const [i, weights] of mine.weights.entries())
      expect(weights).toBeAllclose(other.weights[i]!, { rtol: 1e-3, atol: 2e-5 });
    expect(mine.inPlace).toBe(mine.updates);
    expect(mine.losses[0]! - mine.losses[6]!).toBeGreaterThan(0.1);
  });
});
