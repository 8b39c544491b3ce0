/**
 * The tiny FLAVA under OpenVINO's provider: in float32 as the device `cpu`, in bfloat16 within stated bounds; state updated in place by
 * the plain provider. Slow: the provider compiles each graph for 5 to 20 s.
 */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/optim/index.ts";
import { openDevice } from "../../src/runtime/index.ts";
import { toNumbers } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { openvino } from "../support/openvino-device.ts";
import { evaluate, evaluateOn, norm } from "./run.ts";
import { type PairExpectation, pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters } from "./tiny-case.ts";
import { train } from "./train-steps.ts";

const TIMEOUT = { timeout: 240_000 };
const [A, B, , C] = pairExpectations as [PairExpectation, PairExpectation, PairExpectation, PairExpectation];

describe.skipIf(!openvino)("the tiny FLAVA on openvino", () => {
  for (const e of [A, B, C])
    it(`has the losses and gradients of the reference with ${e.name}`, TIMEOUT, async () => {
      const c = pairCase(tinyConfig, sizesOf(e));
      const values = { loss: c.objective.loss, ...c.objective.losses, ...gradients(c.objective.loss, c.params.values()) };
      const feeds = { ...tinyBatch(e.itmLabels), ...tinyParameters(c.params.specs()) };
      const [found, exact] = [await evaluateOn(openvino!, values, feeds), evaluate(values, feeds)];
      for (const [loss, value] of Object.entries({ loss: e.total, ...e.losses }))
        expect(toNumbers(found[loss]!), loss).toBeAllclose([value], { rtol: 1e-4, atol: 0 });
      for (const [name, t] of Object.entries(exact)) {
        const difference = norm({ ...t, data: t.data.map((x, i) => x - Number(found[name]!.data[i])) });
        expect(difference, name).toBeLessThan(name.endsWith("key.bias") ? 1e-5 : 1e-4 * norm(t));
      }
    });

  it("trains as the device cpu does, in float32 and near it in bfloat16, all parameters updated in place", TIMEOUT, async () => {
    const other = await train(await openDevice("cpu", { threads: 1 }));
    const mine = await train(openvino!);
    expect(mine.losses).toBeAllclose(other.losses, { rtol: 1e-4, atol: 0 });
    for (const [i, weights] of mine.weights.entries())
      expect(weights).toBeAllclose(other.weights[i]!, { rtol: 1e-3, atol: 2e-5 });
    expect(mine.inPlace).toBe(other.inPlace);
    const low = await train(openvino!, { bfloat16: true });
    expect(low.losses).toBeAllclose(other.losses, { rtol: 3e-2, atol: 0 });
    expect(low.inPlace).toBe(other.inPlace);
  });
});
