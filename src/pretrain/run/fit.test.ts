import { describe, expect, it } from "vitest";
import { stageCase } from "../../../test/support/stage-case.ts";
import { openDevice } from "../../runtime/index.ts";
import { largestFit, memoryFor } from "./fit.ts";
import { measureStage } from "./measure.ts";

const bytesOf = (memory: Readonly<Record<string, number>>): number =>
  Object.values(memory).reduce((sum, n) => sum + n, 0);

describe("largestFit", () => {
  it("finds the number of micro-batches whose step still fits, and says when none does", async () => {
    const { recipe } = await stageCase("text-mlm", { batchSize: 24, gradientAccumulationSteps: 3 });
    const at = async (steps: number): Promise<number> => {
      const stage = { ...recipe.stages.only!, gradientAccumulationSteps: steps };
      return bytesOf((await measureStage({ ...recipe, stages: { only: stage } }, "only")).memory);
    };
    const measured = await measureStage(recipe, "only");
    const fitOf = (available: number) => largestFit(recipe, "only", { available, measured });
    const [whole, sixths, ones] = [await at(1), await at(6), await at(24)];
    expect([whole, bytesOf(measured.memory), sixths, ones]).toEqual(
      [whole, bytesOf(measured.memory), sixths, ones].toSorted((a, b) => b - a),
    );
    expect(await fitOf(whole)).toEqual({ available: whole, samples: 24, steps: 1, bytes: whole });
    expect(await fitOf(sixths)).toEqual({ available: sixths, samples: 4, steps: 6, bytes: sixths });
    expect(await fitOf(sixths - 1)).toMatchObject({ samples: 3, steps: 8 });
    expect(await fitOf(ones - 1)).toMatchObject({ samples: 0, bytes: ones });
  });
});

describe("memoryFor", () => {
  it("takes the device's own memory before that of the machine", async () => {
    const device = await openDevice("interpret");
    const memory = () => ({ peak: undefined, limit: 1000 });
    expect(memoryFor({ ...device, memory })).toBe(900);
    expect(memoryFor(device)).toBeGreaterThan(2 ** 27);
    expect(memoryFor({ ...device, name: "xla:cuda" })).toBeUndefined();
  });
});
