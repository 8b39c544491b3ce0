/** Every kind of stage and of batch on several workers with several micro-batches. Slow: the interpreter makes each step seven times. */
import { describe, expect, it } from "vitest";
import type { Stage } from "../src/pretrain/recipe/index.ts";
import type { Batch } from "../src/train/index.ts";
import { expectSameInParts, type Split } from "./support/in-parts.ts";
import { firstBatches, type StageCase } from "./support/stage-case.ts";

const STEPS = 5;
const SPLITS: readonly Split[] = [
  [2, 1],
  [1, 2],
  [4, 1],
  [2, 2],
];

/** Splits of a batch of twelve. */
const BY_THREE: readonly Split[] = [
  [3, 1],
  [1, 3],
  [3, 2],
  [2, 3],
];

const only = (kind: "pairs" | "contrast" | "images" | "texts") => ({
  sampling: { pairs: 0, contrast: 0, images: 0, texts: 0, [kind]: 1 },
});

/** A ResNet tower of four blocks, whose batch norms are over all parts. */
const RESNET = {
  image: { tower: "resnet", imageSize: 32, width: 4, blocks: [1, 1, 1, 1], heads: 4 },
  text: { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32, maxPositions: 12 },
  projectionDim: 8,
};

const CASES: readonly (readonly [name: string, kind: Stage["kind"], changes: object])[] = [
  ["pairs under all losses", "joint", only("pairs")],
  ["pairs under the contrastive loss", "joint", only("contrast")],
  ["images of the joint stage", "joint", only("images")],
  ["texts of the joint stage", "joint", only("texts")],
  ["all kinds of batches in turn", "joint", { sampling: { pairs: 2, contrast: 1, images: 1, texts: 1 } }],
  ["pairs with activations computed again", "joint", { ...only("pairs"), recompute: true }],
  ["images", "image-mim", {}],
  ["crops", "image-dino", {}],
  ["texts", "text-mlm", {}],
  ["a codebook", "dvae", { evenness: 0.3, chroma: 0.5 }],
  ["CLIP's pairs", "clip", {}],
  ["CLIP's pairs with a ResNet", "clip", { model: RESNET }],
  ["ALIGN's pairs", "align", {}],
  ["SimVLM's pairs and texts", "simvlm", { sampling: { pairs: 1, texts: 1 } }],
  ["pictures in regions under VinVL's losses", "vinvl", {}],
  ["pictures in regions under VOLTA's losses", "volta", {}],
  ["ViLT's pairs", "vilt", {}],
  ["UniT's tasks", "unit", { tasks: { shapes: {}, matching: { labels: "matching" } } }],
];

/** Each part draws wrong partners within itself, as the paper's code does, so the same parts are compared, on one worker and on several. */
const BY_PARTS: readonly (readonly [name: string, kind: Stage["kind"], changes: object])[] = [
  ["ALBEF's pairs, queues and average", "albef", { queueSize: 24 }],
];

const batches = (one: StageCase): Promise<Batch[]> => firstBatches(one, STEPS);

describe(`after ${STEPS} steps workers with the same micro-batches have the losses and parameters of one worker`, () => {
  it.each(BY_PARTS)("on %s", async (_name, kind, changes) => {
    await expectSameInParts(kind, batches, { ...changes, whole: 2, splits: [[2, 1]] });
    await expectSameInParts(kind, batches, {
      ...changes,
      whole: 4,
      splits: [
        [4, 1],
        [2, 2],
      ],
    });
    await expectSameInParts(kind, batches, {
      ...changes,
      batchSize: 12,
      whole: 6,
      splits: [
        [3, 2],
        [2, 3],
      ],
    });
  });
});

describe(`after ${STEPS} steps workers × micro-batches have the losses and parameters of one worker`, () => {
  it.each(CASES)("on %s", async (_name, kind, changes) => {
    const { metrics } = await expectSameInParts(kind, batches, { ...changes, splits: SPLITS });
    expect(metrics).toHaveLength(STEPS);
  });

  it.each(CASES)("on %s, by threes", async (_name, kind, changes) => {
    await expectSameInParts(kind, batches, { ...changes, batchSize: 12, splits: BY_THREE });
  });
});
