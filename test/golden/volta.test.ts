/** The tiny five BERTs (VOLTA) on the reference's numbers. */
import { beforeAll, describe, expect, it } from "vitest";
import { boxWaves } from "../../src/data/batch/index.ts";
import { add, constant, input, reshape, type Value } from "../../src/graph/index.ts";
import {
  EMBEDDINGS,
  singleStream,
  volta,
  type VoltaConfig,
  voltaConfig,
  voltaMatching,
  voltaRegions,
  voltaVariants,
  voltaWords,
} from "../../src/models/volta/index.ts";
import { Params } from "../../src/nn/index.ts";
import { crossEntropy, maskedCrossEntropy, maskedRegionClasses, maskedRegionFeatures } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, shapesOf } from "./compared.ts";
import reference from "./compared/bimodal_models.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

const expected = reference as Readonly<Record<string, unknown>>;
const IDS = [
  [1, 7, 8, 9, 2, 0],
  [1, 10, 11, 2, 0, 0],
  [1, 12, 13, 14, 15, 2],
];
const MASKED_IDS = [
  [1, 7, 3, 9, 2, 0],
  [1, 3, 11, 2, 0, 0],
  [1, 12, 13, 3, 21, 2],
];
const LABELS = new Map([
  [2, 8],
  [7, 10],
  [15, 14],
  [16, 15],
]);
/** (2, 4), of which the reference file speaks too, is padding, and is neither hidden nor counted. */
const MASKED_REGIONS = [0, 3, 7, 11];
const [B, R, F, C] = [3, 5, 16, 9];

/** Features with the masked ones 0, the mean of the others first; boxes with the whole picture first. */
function regions() {
  const f = toNumbers(golden("region_features", [B, R, F], 0, 2));
  const l = toNumbers(golden("region_boxes", [B, R, 5], 0, 1));
  const features: number[] = [];
  const boxes: number[] = [];
  for (let b = 0; b < B; b++) {
    const rows = Array.from({ length: R }, (_, r) =>
      MASKED_REGIONS.includes(b * R + r) ? new Array<number>(F).fill(0) : f.slice((b * R + r) * F, (b * R + r + 1) * F),
    );
    const seen = rows.filter((_, r) => !MASKED_REGIONS.includes(b * R + r)).length;
    const mean = Array.from({ length: F }, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / seen);
    features.push(...mean, ...rows.flat());
    boxes.push(0, 0, 1, 1, 1, ...l.slice(b * R * 5, (b + 1) * R * 5));
  }
  const float64 = (numbers: number[], width: number): Tensor => fromNumbers(numbers, [B, R + 1, width], "float64");
  const waves = Array.from({ length: B * (R + 1) }, (_, i) => boxWaves(boxes.slice(5 * i, 5 * i + 5), 2)).flat();
  return { region_features: float64(features, F), region_boxes: float64(boxes, 5), region_waves: float64(waves, 16) };
}

const softmaxed = (t: Tensor): Tensor => {
  const all = toNumbers(t);
  const rows = Array.from({ length: all.length / C }, (_, r) => {
    const exps = all.slice(r * C, (r + 1) * C).map(Math.exp);
    const sum = exps.reduce((a, b) => a + b);
    return exps.map((e) => e / sum);
  });
  return fromNumbers(rows.flat(), [B * R, C], "float64");
};

const FEEDS: Record<string, Tensor> = {
  input_ids: ints(MASKED_IDS),
  attention_mask: ints(IDS.map((row) => row.map((id) => (id === 0 ? 0 : 1)))),
  ...regions(),
  region_mask: ints([
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 0, 0],
    [1, 1, 1, 1, 1, 0],
  ]),
  region_classes: softmaxed(golden("region_classes", [B, R, C], -2, 2)),
};

/** Control lists of the tiny models. */
const CONTROL: Partial<Record<VoltaConfig["embeddings"], VoltaConfig["control"]>> = {
  vilbert: {
    textText: [0, 4],
    visionVision: [4],
    cross: [2],
    textFeedForward: [1, 3, 5],
    visionFeedForward: [3, 5],
    shared: [],
  },
  lxmert: {
    textText: [0, 2, 5],
    visionVision: [0, 5],
    cross: [4],
    textFeedForward: [1, 3, 6],
    visionFeedForward: [1, 6],
    shared: [4],
  },
};

function traced(embeddings: VoltaConfig["embeddings"]) {
  const config = voltaConfig({
    embeddings,
    hiddenSize: 16,
    heads: 2,
    intermediateSize: 32,
    text: { vocabSize: 40, maxPositions: 24 },
    regions: { features: F, classes: C, waves: 2 },
    poolerSize: 24,
    control: CONTROL[embeddings] ?? singleStream(2),
  });
  const p = new Params();
  const outputs = volta(p, config, {
    input_ids: input("input_ids", [B, 6], "int32"),
    attention_mask: input("attention_mask", [B, 6], "int32"),
    region_features: input("region_features", [B, R + 1, F]),
    region_boxes: input("region_boxes", [B, R + 1, 5]),
    region_mask: input("region_mask", [B, R + 1], "int32"),
    region_waves: input("region_waves", [B, R + 1, 16]),
  });
  const { text, vision } = outputs.states;
  const words = voltaWords(p, config, reshape(text, [B * 6, 16]));
  const classes = voltaRegions(p, config, vision);
  const matching = voltaMatching(p, config, outputs.states);
  const weights = (places: readonly number[], n: number): Value =>
    constant(fromNumbers(Array.from({ length: n }, (_, i) => (places.includes(i) ? 1 : 0)), [n], "float64"), "float32");
  const int = (numbers: readonly number[]): Value => constant(fromNumbers(numbers, [numbers.length], "int32"));
  const targets = int(Array.from({ length: B * 6 }, (_, i) => LABELS.get(i) ?? 0));
  const mlm = maskedCrossEntropy({ logits: words, targets, weights: weights([...LABELS.keys()], B * 6) }).loss;
  const kl = maskedRegionClasses({
    predicted: reshape(classes, [B * R, C]),
    targets: input("region_classes", [B * R, C]),
    weights: weights(MASKED_REGIONS, B * R),
  });
  const itm = maskedCrossEntropy({ logits: matching, targets: int([0, 1, 0]), weights: weights([0, 1, 2], B) }).loss;
  const shown: Record<string, Value> = {
    "text embeddings": outputs.embeddings.text,
    "vision embeddings": outputs.embeddings.vision,
    "text out": text,
    "vision out": vision,
    "lm logits": reshape(words, [B, 6, 40]),
    "region logits": classes,
    "itm logits": matching,
    mlm,
    "mrc-kl": kl,
    itm,
    total: add(add(mlm, kl), itm),
  };
  return { embeddings, p, shown, feeds: { ...FEEDS, ...filledAll(p.specs()) } };
}

const cases = EMBEDDINGS.map(traced);

describe.each(cases)("the tiny $embeddings", ({ embeddings, p, shown, feeds }) => {
  it("has the reference's parameters", () => {
    expect(shapesOf(p.specs())).toEqual(expected[`${embeddings}: parameters`]);
  });
  it("gives the reference's states and losses", () => {
    for (const [name, t] of Object.entries(evaluate(shown, feeds)))
      expectLike(t, expected[`${embeddings}: ${name}`], name);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(shown.total!, p), feeds), expected[`grads ${embeddings}`]);
  });
});

describe("the losses of masked features", () => {
  it("are the reference's, squared and smooth", () => {
    const rows = { predicted: input("p", [B * R, F]), targets: input("t", [B * R, F]), weights: input("w", [B * R]) };
    const feeds = {
      p: { ...golden("mrfr_prediction", [B, R, F], -1, 1), shape: [B * R, F] },
      t: { ...golden("region_features", [B, R, F], 0, 2), shape: [B * R, F] },
      w: fromNumbers(Array.from({ length: B * R }, (_, i) => (MASKED_REGIONS.includes(i) ? 1 : 0)), [B * R], "float64"),
    };
    const { squared, smooth } = evaluate(
      { squared: maskedRegionFeatures(rows, "squared"), smooth: maskedRegionFeatures(rows, "smooth-l1") },
      feeds,
    );
    expectLike(squared!, 1.484225379, "squared", 1e-9);
    expectLike(smooth!, 0.5991836687, "smooth L1", 1e-9);
  });
  it("give 0 where nothing is masked, and classes of no share count nothing", () => {
    const rows = { predicted: input("p", [1, 2]), targets: input("t", [1, 2]), weights: input("w", [1]) };
    const f64 = (numbers: number[], shape: number[]): Tensor => fromNumbers(numbers, shape, "float64");
    const feeds = { p: f64([0, 0], [1, 2]), t: f64([1, 0], [1, 2]) };
    const loss = { loss: maskedRegionClasses(rows) };
    expect(evaluate(loss, { ...feeds, w: f64([0], [1]) }).loss!.data[0]).toBe(0);
    expect(evaluate(loss, { ...feeds, w: f64([1], [1]) }).loss!.data[0]).toBeCloseTo(Math.LN2, 12);
  });
});

describe("the published sub-layers", () => {
  it.each([
    ["vilbert", 36],
    ["lxmert", 33],
    ["vl-bert", 24],
    ["visualbert", 24],
    ["uniter", 24],
  ])("of %s are %i", (name, count) => {
    const { control } = voltaVariants[name]!;
    expect(new Set(Object.values(control).flat()).size).toBe(count);
    expect(Math.max(...Object.values(control).flat())).toBe(count - 1);
  });
  it.each([
    [{ textText: [0], textFeedForward: [0] }, /sub-layer 0: expected attention or a feed-forward, got both/],
    [{ textText: [0], textFeedForward: [2] }, /sub-layer 1: expected attention or a feed-forward, got neither/],
  ])("refuse %j", (lists, message) => {
    const none = { textText: [], visionVision: [], cross: [], textFeedForward: [], visionFeedForward: [], shared: [] };
    expect(() => voltaConfig({ control: { ...none, ...lists } })).toThrow(message);
  });
});

describe("on device cpu", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu", { threads: 1 });
  });
  it.each(cases)("the $embeddings gives the same numbers in float32, with the gradient of every parameter", ({ p, shown, feeds }) =>
    expectOnEngine(device, { ...shown, ...gradientsOf(shown.total!, p) }, feeds),
  );
});
