import { describe, expect, it } from "vitest";
import { firstBatches, stageCase, updates } from "../../../test/support/stage-case.ts";
import { openDevice } from "../../runtime/index.ts";

const only = (kind: "pairs" | "contrast") => ({
  sampling: { pairs: 0, contrast: 0, images: 0, texts: 0, [kind]: 1 },
});

describe("steps with the contrastive loss alone", () => {
  it("are steps on pairs whose other losses have weight 0, and never read another picture's caption", async () => {
    const contrast = await stageCase("joint", only("contrast"));
    const whole = await stageCase("joint", { ...only("pairs"), lossWeights: { itm: 0, mmmImage: 0, mmmText: 0 } });
    const batches = await firstBatches(contrast, 2);
    expect(batches.map(({ kind }) => kind)).toEqual(["contrast", "contrast"]);
    for (const { feeds } of batches) expect(new Set(feeds.itm_labels!.data as Int32Array)).toEqual(new Set([1]));
    const device = await openDevice("interpret");
    const found = await updates(contrast, device, batches);
    const expected = await updates(
      whole,
      device,
      batches.map((batch) => ({ ...batch, kind: "pair" })),
    );
    expect(found.metrics).toEqual(expected.metrics);
    const { "optimizer.step.contrast": steps, ...tensors } = found.tensors;
    const { "optimizer.step.pair": expectedSteps, ...expectedTensors } = expected.tensors;
    expect(steps).toEqual(expectedSteps);
    expect(tensors).toEqual(expectedTensors);
    expect(found.metrics[0]!.global_contrastive).toBeGreaterThan(1);
    expect(Object.keys(found.metrics[0]!).filter((name) => /^(mmm|itm|mim|mlm)/.test(name))).toEqual([]);
  });

  it("are refused where the contrastive loss has weight 0", async () => {
    await expect(stageCase("joint", { ...only("contrast"), lossWeights: { globalContrastive: 0 } })).rejects.toThrow(
      /sampling\.contrast|globalContrastive is 0/,
    );
  });
});
