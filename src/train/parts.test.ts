import { beforeAll, describe, expect, it } from "vitest";
import "../../test/support/matchers.ts";
import { expectSameInParts, RTOL, sameTensor } from "../../test/support/in-parts.ts";
import { firstBatches, type StageCase, stageCase, updates } from "../../test/support/stage-case.ts";
import { type Device, openDevice } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Batch } from "./plan.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice("interpret");
});

/** The step of the whole batch of pairs with the recipe's own weights, which two tests look at. */
let equalWeights: ReturnType<typeof expectSameInParts> | undefined;

const ints = (t: Tensor, change: (x: number, i: number) => number): Tensor =>
  ({ ...t, data: Int32Array.from(t.data as Int32Array, change) }) as Tensor;

const withLabels = (batch: Batch, matched: (row: number) => boolean): Batch => {
  const labels = ints(batch.feeds.itm_labels!, (_, row) => (matched(row) ? 1 : 0));
  return { ...batch, feeds: { ...batch.feeds, itm_labels: labels } };
};

describe("parts of a batch, micro-batches or workers,", () => {
  const pairsOnly = { sampling: { pairs: 1, images: 0, texts: 0 } };
  const two = (one: StageCase): Promise<Batch[]> => firstBatches(one, 2);
  const equally = () => {
    equalWeights ??= expectSameInParts("joint", two, {
      ...pairsOnly,
      splits: [
        [1, 2],
        [2, 2],
      ],
    });
    return equalWeights;
  };

  it("of pairs with replaced captions give the step of the whole batch, the contrastive loss among them", async () => {
    const { metrics } = await equally();
    expect(Object.keys(metrics[0]!)).toEqual(
      expect.arrayContaining(["itm", "mmm_image", "mmm_text", "global_contrastive", "global_contrastive/accuracy"]),
    );
    expect(metrics[0]!["global_contrastive/count"], "some pairs are replaced").toBeLessThan(8);
  });

  it("without one matched pair count only in the matching loss", async () => {
    const halved = async (one: StageCase) => (await two(one)).map((batch) => withLabels(batch, (row) => row >= 4));
    const { metrics } = await expectSameInParts("joint", halved, pairsOnly);
    expect(metrics[0]!["global_contrastive/count"]).toBe(4);
  });

  it("of a batch without one matched pair count in all losses", async () => {
    const none = async (one: StageCase) => (await two(one)).map((batch) => withLabels(batch, () => false));
    const { metrics } = await expectSameInParts("joint", none, pairsOnly);
    expect(metrics[0]!["global_contrastive/count"]).toBe(8);
  });

  it("weigh each loss by the recipe's weights", async () => {
    const lossWeights = { itm: 0.5, globalContrastive: 2, mmmImage: 0.25, mmmText: 0 };
    const { metrics } = await expectSameInParts("joint", two, { ...pairsOnly, lossWeights });
    const equal = await equally();
    const [weighed, plain] = [metrics[0]!, equal.metrics[0]!];
    for (const name of ["itm", "mmm_image", "global_contrastive"])
      expect([weighed[name]!], `${name} is logged without its weight`).toBeAllclose([plain[name]!], { rtol: RTOL });
    const total = 0.5 * plain.itm! + 0.25 * plain.mmm_image! + 2 * plain.global_contrastive!;
    expect([weighed.loss!]).toBeAllclose([total], { rtol: RTOL });
  });

  it("of pairs under the contrastive loss alone have no loss of their own and still its gradient", async () => {
    const lossWeights = { itm: 0, mmmImage: 0, mmmText: 0 };
    await expectSameInParts("joint", two, { ...pairsOnly, lossWeights });
  });

  it("of images, texts and pairs in turn count each parameter's updates", async () => {
    const mixed = async (one: StageCase): Promise<Batch[]> => {
      const all = await firstBatches(one, 12);
      return ["pair", "image", "text", "pair"].map((kind, i) => all.filter((b) => b.kind === kind)[i === 3 ? 1 : 0]!);
    };
    const { tensors } = await expectSameInParts("joint", mixed, { sampling: { pairs: 1, images: 1, texts: 1 } });
    const counts = Object.entries(tensors).filter(([name]) => name.startsWith("optimizer.step."));
    expect(Object.fromEntries(counts.map(([name, t]) => [name.slice(15), Number(t.data[0])]))).toMatchObject({
      "pair+image": 3,
      "pair+text": 3,
      pair: 2,
      image: 1,
      text: 1,
    });
  });

  it("of images give the step of the whole batch", async () => {
    await expectSameInParts("image-mim", two, { splits: [[2, 1]] });
  });

  it("of texts give the step of the whole batch, though parts have different numbers of targets, or none", async () => {
    const uneven = async (one: StageCase) =>
      (await two(one)).map((batch) => {
        const targets = batch.feeds.mlm_targets!;
        const width = targets.shape[1]!;
        const mlm_targets = ints(targets, (x, i) => (i < 2 * width ? -100 : x));
        return { ...batch, feeds: { ...batch.feeds, mlm_targets } };
      });
    const { metrics } = await expectSameInParts("text-mlm", uneven, {
      masking: { probability: 0.4 },
      splits: [[2, 2]],
    });
    expect(metrics[0]!["mlm/count"]).toBeGreaterThan(4);
  });

  it("of a codebook give its step and its averaged weights, even use of the batch's words among its losses", async () => {
    const { tensors, metrics } = await expectSameInParts("dvae", two, { evenness: 0.3, chroma: 0.5, splits: [[2, 1]] });
    const { loss, dvae, unevenness } = metrics[0]!;
    expect([loss!]).toBeAllclose([dvae! + 0.3 * unevenness!], { rtol: RTOL });
    expect(Object.keys(tensors).filter((name) => name.startsWith("ema.")).length).toBeGreaterThan(10);
  });

  it("of crops give DINO's step, its centre and its teacher", async () => {
    const { tensors } = await expectSameInParts("image-dino", two, { splits: [[2, 1]] });
    expect(Math.hypot(...(tensors["dino.center"]!.data as Float64Array))).toBeGreaterThan(0);
    expect(Object.keys(tensors).filter((name) => name.startsWith("teacher.")).length).toBeGreaterThan(10);
  });

  it("with activations computed again give the same step", async () => {
    const given = await two(await stageCase("joint", pairsOnly));
    const [kept, again] = [false, true].map(async (recompute) =>
      updates(await stageCase("joint", { ...pairsOnly, recompute, gradientAccumulationSteps: 2 }), device, given),
    );
    const [a, b] = [await kept!, await again!];
    for (const [name, value] of Object.entries(a.tensors))
      expect(b.tensors[name]!, name).toBeAllclose(value, sameTensor(value));
  });
});
