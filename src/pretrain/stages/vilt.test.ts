import { expect, it } from "vitest";
import { firstBatches, stageCase, updates } from "../../../test/support/stage-case.ts";
import { openDevice } from "../../runtime/index.ts";

const step = async (parts: Readonly<Record<string, unknown>>) => {
  const one = await stageCase("vilt", parts);
  return updates(one, await openDevice("interpret"), await firstBatches(one, 1));
};

it("refuses parts of a batch with an odd number of pairs, as wrong pictures are neighbours'", async () => {
  await expect(step({ batchSize: 6, gradientAccumulationSteps: 2 })).rejects.toThrow(
    /expected an even number of samples in each part of a batch, got 3 of 6/,
  );
});

it("takes an odd batch in one part", async () => {
  expect((await step({ batchSize: 3 })).metrics[0]!.itm).toBeGreaterThan(0);
});
