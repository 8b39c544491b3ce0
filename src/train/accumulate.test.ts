import { beforeAll, describe, expect, it } from "vitest";
import "../../test/support/matchers.ts";
import { firstBatches, type StageCase, stageCase, updates } from "../../test/support/stage-case.ts";
import type { Stage } from "../pretrain/recipe/index.ts";
import { type Device, openDevice } from "../runtime/index.ts";
import { type Tensor, type Tolerance, toNumbers } from "../tensor/index.ts";
import type { Batch } from "./plan.ts";

/**
 * Sums are in float64, but what a part weighs is fed as float32: 6e-8, relative to the largest element. What is 0 but for
 * rounding stays below 1e-12.
 */
const RTOL = 1e-6;
const same = (t: Tensor): Tolerance => ({ atol: 1e-12 + RTOL * Math.max(...toNumbers(t).map(Math.abs)) });

/** With such an eps Adam's step is smooth where a gradient is near 0; the usual one divides rounding by rounding. */
const OPTIMIZER = { lr: 1e-3, eps: 1e-3 };

let device: Device;
beforeAll(async () => {
  device = await openDevice("interpret");
});

/** The same steps in one piece and in micro-batches. */
async function expectSameInParts(
  kind: Stage["kind"],
  batches: (one: StageCase) => Promise<Batch[]>,
  { counts = [4], ...changes }: { readonly counts?: readonly number[]; readonly [field: string]: unknown } = {},
) {
  const at = (parts: number): Promise<StageCase> =>
    stageCase(kind, { ...changes, gradientAccumulationSteps: parts, optimizer: OPTIMIZER });
  const given = await batches(await at(1));
  const whole = await updates(await at(1), device, given);
  for (const parts of counts) {
    const cut = await updates(await at(parts), device, given);
    for (const [i, metrics] of cut.metrics.entries()) {
      expect(Object.keys(metrics).sort()).toEqual(Object.keys(whole.metrics[i]!).sort());
      for (const [name, value] of Object.entries(whole.metrics[i]!))
        expect([metrics[name]!], `${parts} parts, step ${i + 1}: ${name}`).toBeAllclose([value], { rtol: RTOL });
    }
    expect(Object.keys(cut.tensors).sort()).toEqual(Object.keys(whole.tensors).sort());
    for (const [name, value] of Object.entries(whole.tensors))
      expect(cut.tensors[name]!, `${parts} parts: ${name}`).toBeAllclose(value, same(value));
  }
  return whole;
}

/** The step of the whole batch of pairs with the recipe's own weights, which two tests look at. */
let equalWeights: ReturnType<typeof expectSameInParts> | undefined;

const ints = (t: Tensor, change: (x: number, i: number) => number): Tensor =>
  ({ ...t, data: Int32Array.from(t.data as Int32Array, change) }) as Tensor;

const withLabels = (batch: Batch, matched: (row: number) => boolean): Batch => {
  const labels = ints(batch.feeds.itm_labels!, (_, row) => (matched(row) ? 1 : 0));
  return { ...batch, feeds: { ...batch.feeds, itm_labels: labels } };
};

describe("micro-batches", () => {
  const pairsOnly = { sampling: { pairs: 1, images: 0, texts: 0 } };
  const two = (one: StageCase): Promise<Batch[]> => firstBatches(one, 2);
  const equally = () => {
    equalWeights ??= expectSameInParts("joint", two, { ...pairsOnly, counts: [2, 4] });
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
    await expectSameInParts("image-mim", two);
  });

  it("of texts give the step of the whole batch, though parts have different numbers of targets, or none", async () => {
    const uneven = async (one: StageCase) =>
      (await two(one)).map((batch) => {
        const targets = batch.feeds.mlm_targets!;
        const width = targets.shape[1]!;
        const mlm_targets = ints(targets, (x, i) => (i < 2 * width ? -100 : x));
        return { ...batch, feeds: { ...batch.feeds, mlm_targets } };
      });
    const { metrics } = await expectSameInParts("text-mlm", uneven, { masking: { probability: 0.4 } });
    expect(metrics[0]!["mlm/count"]).toBeGreaterThan(4);
  });

  it("of a codebook give its step and its averaged weights, even use of the batch's words among its losses", async () => {
    const { tensors, metrics } = await expectSameInParts("dvae", two, { evenness: 0.3, chroma: 0.5 });
    const { loss, dvae, unevenness } = metrics[0]!;
    expect([loss!]).toBeAllclose([dvae! + 0.3 * unevenness!], { rtol: RTOL });
    expect(Object.keys(tensors).filter((name) => name.startsWith("ema.")).length).toBeGreaterThan(10);
  });

  it("of crops give DINO's step, its centre and its teacher", async () => {
    const { tensors } = await expectSameInParts("image-dino", two);
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
      expect(b.tensors[name]!, name).toBeAllclose(value, same(value));
  });
});
