/** Each stage, given one batch again and again, learns it by heart. Slow: trains a model of every kind until it knows its batch. */
import { describe, expect, it } from "vitest";
import type { Stage } from "../../src/pretrain/recipe/index.ts";
import { openDevice } from "../../src/runtime/index.ts";
import { type Tensor, toNumbers } from "../../src/tensor/index.ts";
import type { Batch, Metrics } from "../../src/train/index.ts";
import { firstBatches, LAYER_KINDS, type StageCase, stageCase, startStage, withLayers } from "../support/stage-case.ts";

/** The metrics of every step on one batch, and how the state began and ended. What a step draws by its number is "new" each time unless said. */
async function repeat(one: StageCase, batch: Batch, steps: number, draws: "new" | "same" = "new") {
  using started = await startStage(one, await openDevice("cpu", { threads: 1 }));
  const first = await started.tensors();
  const metrics: Metrics[] = [];
  for (let step = 1; step <= steps; step++)
    metrics.push(await started.updater.update(draws === "same" ? 1 : step, batch));
  return { metrics, first, last: await started.tensors() };
}

async function onFirstBatch(kind: Stage["kind"], steps: number, changes: Record<string, unknown>) {
  const one = await stageCase(kind, changes);
  return repeat(one, (await firstBatches(one, 1))[0]!, steps);
}

/** A batch in which no caption stands twice. */
async function distinctTexts(one: StageCase): Promise<Batch> {
  const isGood = ({ feeds }: Batch): boolean => {
    const ids = toNumbers(feeds.input_ids!);
    const rows = Array.from({ length: 8 }, (_, i) => ids.slice(i * 12, (i + 1) * 12).join());
    return new Set(rows).size === rows.length;
  };
  return (await firstBatches(one, 30)).find(isGood)!;
}

/** A batch with matched and replaced pairs in which no caption stands twice: two equal ones could not be told apart. */
async function distinctPairs(one: StageCase): Promise<Batch> {
  const isGood = ({ feeds }: Batch): boolean => {
    const ids = toNumbers(feeds.input_ids!);
    const width = feeds.input_ids!.shape[1]!;
    const rows = Array.from({ length: ids.length / width }, (_, i) => ids.slice(i * width, (i + 1) * width).join());
    const matched = toNumbers(feeds.itm_labels!).filter((label) => label === 1).length;
    return new Set(rows).size === rows.length && matched > 3 && matched < 8;
  };
  return (await firstBatches(one, 20)).find(isGood)!;
}

/** A batch with captions or tags of other pictures. */
async function mixedBatch(one: StageCase): Promise<Batch> {
  const isGood = ({ feeds }: Batch): boolean => {
    const wrong = toNumbers(feeds.mismatch!).filter((kind) => kind > 0).length;
    return wrong > 1 && wrong < 7;
  };
  return (await firstBatches(one, 20)).find(isGood)!;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;

/** −ln f of pixels (B, C, H, W), mean, under each channel's best distribution: what can be said without looking at a picture. */
function withoutLooking(pixels: Tensor): number {
  const [B, C, H, W] = pixels.shape as [number, number, number, number];
  const all = toNumbers(pixels);
  const ofChannel = (c: number): number => {
    const x = all.filter((_, i) => Math.floor(i / (H * W)) % C === c);
    const logits = x.map((p) => Math.log(p / (1 - p))).sort((a, b) => a - b);
    const mu = logits[logits.length >> 1]!; // the median and the mean distance from it are the likeliest parameters
    const b = mean(logits.map((l) => Math.abs(l - mu)));
    return Math.log(2 * b) + mean(x.map((p) => Math.log(p * (1 - p)))) + 1;
  };
  expect(all.length).toBe(B * C * H * W);
  return mean(Array.from({ length: C }, (_, c) => ofChannel(c)));
}

describe("on one batch", () => {
  // An untrained model is within a tenth of its chance level; one that knows the batch has nothing left to lose.
  const LEARNT = 0.05;

  it.each([
    ["CLIP", "clip", 100],
    ["ALIGN", "align", 60],
  ] as const)("%s tells its pairs apart", async (_name, kind, steps) => {
    const one = await stageCase(kind, { optimizer: { lr: 5e-3, weightDecay: 0 } });
    const { metrics } = await repeat(one, await distinctTexts(one), steps);
    expect(metrics[0]!.global_contrastive).toBeGreaterThan(1.8); // ln 8 is 2.08
    expect(metrics.at(-1)!.global_contrastive).toBeLessThan(LEARNT);
    expect(metrics.at(-1)!["global_contrastive/text_accuracy"]).toBe(1);
  });
  it("a UniT finds the shapes in its pictures, each with the query that serves it best", async () => {
    const tasks = { shapes: { ratio: 1 }, matching: { ratio: 0 } };
    const { metrics } = await onFirstBatch("unit", 60, {
      tasks,
      optimizer: { lr: 5e-3, weightDecay: 0 },
      clipNorm: 1,
    });
    expect(metrics[0]!.shapes_classes).toBeGreaterThan(2.5); // two layers of ln 7
    expect(metrics.at(-1)!.shapes_classes).toBeLessThan(1.5);
    expect(metrics.at(-1)!.shapes_distance).toBeLessThan(metrics[0]!.shapes_distance! / 2);
    expect(metrics.at(-1)!.shapes_overlap).toBeLessThan(metrics[0]!.shapes_overlap! / 1.5);
  });
  it("a SimVLM learns how its captions end", async () => {
    const changes = { sampling: { pairs: 1, texts: 0 }, optimizer: { lr: 5e-3, weightDecay: 0 } };
    const { metrics } = await onFirstBatch("simvlm", 120, changes);
    expect(metrics[0]!.prefix_lm).toBeGreaterThan(2);
    expect(metrics.at(-1)!.prefix_lm).toBeLessThan(LEARNT);
    expect(metrics.at(-1)!["prefix_lm/accuracy"]).toBe(1);
  });
  it("a ViLT learns masked words and whose picture is whose", async () => {
    const one = await stageCase("vilt", { optimizer: { lr: 5e-3, weightDecay: 0 } });
    const { metrics } = await repeat(one, await distinctTexts(one), 70, "same");
    for (const loss of ["mlm", "itm"]) {
      expect(metrics[0]![loss], loss).toBeGreaterThan(0.6);
      expect(metrics.at(-1)![loss], loss).toBeLessThan(LEARNT);
      expect(metrics.at(-1)![`${loss}/accuracy`], loss).toBe(1);
    }
    expect(metrics.at(-1)!.wpa).toBeLessThan(metrics[0]!.wpa!);
  });
  it.each([
    ["VinVL", "vinvl", ["mlm", "triple"], 150],
    ["UNITER", "volta", ["mlm", "mrc", "itm"], 150],
  ] as const)("a %s learns masked words, its regions and which belong together", async (_name, kind, losses, steps) => {
    const one = await stageCase(kind, { optimizer: { lr: 5e-3, weightDecay: 0 } });
    const { metrics } = await repeat(one, await mixedBatch(one), steps);
    for (const loss of losses) {
      expect(metrics[0]![loss], `${loss} at first`).toBeGreaterThan(0.5);
      expect(metrics.at(-1)![loss], loss).toBeLessThan(LEARNT);
    }
  });
  it("an ALBEF tells its pairs apart in both ways, and learns masked words", async () => {
    const one = await stageCase("albef", { optimizer: { lr: 5e-3, weightDecay: 0 }, momentum: 0.5, alpha: 0 });
    const { metrics } = await repeat(one, await distinctTexts(one), 130, "same");
    const [first, last] = [metrics[0]!, metrics.at(-1)!];
    expect(first.ita).toBeGreaterThan(2);
    // The batch is also what the queue was filled with a step before: each pair stands beside a copy of itself.
    expect(Math.abs(last.ita! - Math.log(2))).toBeLessThan(0.1);
    for (const loss of ["itm", "mlm"]) {
      expect(first[loss], loss).toBeGreaterThan(0.6);
      expect(last[loss], loss).toBeLessThan(LEARNT);
      expect(last[`${loss}/accuracy`], loss).toBe(1);
    }
  });
  it("a UniT tells whose caption is whose", async () => {
    const tasks = { shapes: { ratio: 0 }, matching: { ratio: 1, labels: "matching" } };
    const one = await stageCase("unit", { tasks, optimizer: { lr: 5e-3, weightDecay: 0 } });
    const { metrics } = await repeat(one, await distinctPairs(one), 150);
    expect(metrics[0]!.matching).toBeGreaterThan(0.5);
    expect(metrics.at(-1)!.matching).toBeLessThan(LEARNT);
  });
  it("masked words are learnt", async () => {
    const { metrics } = await onFirstBatch("text-mlm", 120, { optimizer: { lr: 5e-3 } });
    expect(metrics[0]!.mlm).toBeGreaterThan(2);
    expect(metrics.at(-1)!.mlm).toBeLessThan(LEARNT);
    expect(metrics.at(-1)!["mlm/accuracy"]).toBe(1);
  });

  it("masked patches are learnt", async () => {
    const { metrics } = await onFirstBatch("image-mim", 150, { optimizer: { lr: 5e-3 } });
    expect(Math.abs(metrics[0]!.mim! - Math.log(12))).toBeLessThan(0.25);
    expect(metrics.at(-1)!.mim).toBeLessThan(LEARNT);
    expect(metrics.at(-1)!["mim/accuracy"]).toBe(1);
  });

  const layers: readonly (readonly [string, object])[] = [
    ["FLAVA's own layers", {}],
    ...LAYER_KINDS.map((kind) => [`${kind} layers`, withLayers(kind)] as const),
  ];
  it.each(layers)(
    "pairs are learnt with %s: matching, contrast, masked words and masked patches at once",
    async (name, others) => {
      const changes = { sampling: { pairs: 1, images: 0, texts: 0 }, optimizer: { lr: 5e-3, weightDecay: 0 } };
      const one = await stageCase("joint", { ...changes, ...others });
      const { metrics } = await repeat(one, await distinctPairs(one), 250);
      const isApart = name === "intra-modal layers"; // there CLS_M, which matching reads, never hears of the text
      if (isApart) expect(metrics.at(-1)!.itm).toBeGreaterThan(3 * LEARNT);
      for (const loss of [...(isApart ? [] : ["itm"]), "global_contrastive", "mmm_text", "mmm_image"]) {
        expect(metrics[0]![loss], `${loss} at first`).toBeGreaterThan(0.5);
        expect(metrics.at(-1)![loss], loss).toBeLessThan(LEARNT);
        expect(metrics.at(-1)![`${loss}/accuracy`], loss).toBe(1);
      }
    },
  );

  it("a codebook tells pictures apart, in words that say something", async () => {
    // At the weight that the divergence ends at, words say nothing for hundreds of steps before they begin to.
    const one = await stageCase("dvae", { optimizer: { lr: 5e-3 }, kl: { end: 2, steps: 0 } });
    const batch = (await firstBatches(one, 1))[0]!;
    const { metrics, first, last } = await repeat(one, batch, 160);
    const end = mean(metrics.slice(-10).map(({ reconstruction }) => reconstruction!));
    expect(metrics[0]!.reconstruction).toBeGreaterThan(-0.1);
    expect(end).toBeLessThan(withoutLooking(batch.feeds.codebook_pixel_values!) - 0.1);
    expect(metrics.at(-1)!.kl).toBeGreaterThan(0.3);
    const name = "image_codebook.blocks.output.conv.bias";
    expect(last[`ema.${name}`]).not.toEqual(first[`ema.${name}`]);
    expect(last[`ema.${name}`]).not.toEqual(last[name]);
  });

  it("DINO's student catches up with its teacher, which neither settles on one class nor spreads evenly", async () => {
    const K = 10;
    const momentum = { teacherMomentum: [0.996, 1], optimizer: { lr: 1e-4 } };
    const { metrics, first, last } = await onFirstBatch("image-dino", 80, momentum);
    // The cross entropy is at least the teacher's entropy: what is left to learn is the distance between the two.
    const distance = ({ dino, teacher_entropy }: Metrics): number => dino! - teacher_entropy!;
    expect(distance(metrics[0]!)).toBeGreaterThan(0.15);
    expect(distance(metrics.at(-1)!)).toBeLessThan(distance(metrics[0]!) / 2);
    for (const { teacher_entropy } of metrics) {
      expect(teacher_entropy).toBeGreaterThan(0.1);
      expect(teacher_entropy).toBeLessThan(Math.log(K) - 0.02);
    }
    expect(toNumbers(first["dino.center"]!).every((x) => x === 0)).toBe(true);
    expect(Math.hypot(...toNumbers(last["dino.center"]!))).toBeGreaterThan(0.1);
  });
});
