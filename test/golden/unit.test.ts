/** The tiny UniT on the reference's numbers: encoders, decoder, both kinds of heads, the set's loss, and the ResNet's pieces. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, constant, conv2d, grad, input, maxPool2d, mul, relu, sum, type Value } from "../../src/graph/index.ts";
import {
  joinedMemory,
  sinePositions,
  unitBoxes,
  unitConfig,
  unitDecode,
  unitImageMemory,
  unitLabels,
  unitTextMemory,
} from "../../src/models/unit/index.ts";
import { batchNorm, bottleneck, conv, Params } from "../../src/nn/index.ts";
import { answerLoss, assignmentCost, cheapestRows, setLosses } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, toNumbers } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filled, filledAll, gradientsOf, ints } from "./compared.ts";
import pieces from "./compared/resnet.json" with { type: "json" };
import reference from "./compared/unit.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

const tiny = unitConfig({
  image: { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32 },
  decoder: { hiddenSize: 24, layers: 2, heads: 2, intermediateSize: 32 },
  tasks: {
    detection_coco: { kind: "detection", index: 0, labels: 4, queries: 5, tokens: "all" },
    vqa2: { kind: "vl", index: 3, labels: 6, queries: 3, tokens: "all" },
  },
});
const { detection_coco, vqa2 } = tiny.tasks;
const KEEP = ints([[...Array(12).fill(1)], [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0]]);
const numbers: Readonly<Record<string, unknown>> = reference;
const parameters: Record<string, number[]> = reference["parameters by name"];

const shared = {
  c5: golden("c5", [2, 12, 3, 4], -1, 1),
  positions: sinePositions({ ...KEEP, shape: [2, 3, 4] }, 16),
  keep: KEEP,
};
const image = () => ({
  features: input("c5", [2, 12, 3, 4]),
  padded: { positions: input("positions", [2, 12, 16]), keep: input("keep", [2, 12], "int32") },
});

describe("the tiny UniT on boxes", () => {
  const p = new Params();
  const memory = unitImageMemory(p, tiny, detection_coco!, image());
  const sets = unitDecode(p, tiny, "detection_coco", memory).map((states) =>
    unitBoxes(p, tiny, "detection_coco", states),
  );
  const targets = { classes: input("classes", [2, 2], "int32"), boxes: input("boxes", [2, 2, 4]) };
  const queries = [0, 1].map((i) => input(`queries.${i}`, [2, 2], "int32"));
  const losses = sets.map((set, i) => setLosses(set, targets, queries[i]!));
  const total = add(losses[0]!.total, losses[1]!.total);
  const [a, b] = [golden("boxes_a", [2, 4], 0.2, 0.6), golden("boxes_b", [1, 4], 0.2, 0.6)];
  const feeds = {
    ...shared,
    ...filledAll(p.specs()),
    classes: ints([
      [1, 3],
      [2, -1],
    ]),
    boxes: fromNumbers([...toNumbers(a), ...toNumbers(b), 0, 0, 0, 0], [2, 2, 4], "float64"),
    ...Object.fromEntries(
      ([0, 1] as const).map((i) => [
        `queries.${i}`,
        ints((numbers[`assignment ${i}`] as number[][]).map((row) => [...row, ...Array(2 - row.length).fill(-1)])),
      ]),
    ),
  };
  const shown: Record<string, Value> = { "image memory": memory.states };
  for (const i of [0, 1] as const) {
    shown[`detection logits, layer ${i}`] = sets[i]!.logits;
    shown[`detection boxes, layer ${i}`] = sets[i]!.boxes;
    shown[`loss_ce, layer ${i}`] = losses[i]!.classes;
    shown[`loss_bbox, layer ${i}`] = losses[i]!.distance;
    shown[`loss_giou, layer ${i}`] = losses[i]!.overlap;
  }
  shown["detection total (all layers, weights 1, 5, 2)"] = total;

  it("has the reference's parameters", () => {
    for (const { name, shape } of p.specs()) expect(shape, name).toEqual(parameters[name]);
  });
  it("gives the reference's positions, memory, boxes and losses", () => {
    expectLike(shared.positions, reference["sine positions"], "sine positions");
    for (const [name, t] of Object.entries(evaluate(shown, feeds))) expectLike(t, numbers[name], name);
  });
  it("finds the reference's assignment", () => {
    for (const [i, set] of sets.entries()) {
      const all = toNumbers(evaluate({ cost: assignmentCost(set, targets) }, feeds).cost!);
      const found = [2, 1].map((count, sample) => {
        const own = Array.from({ length: 5 }, (_, q) => all.slice(sample * 10 + q * 2, sample * 10 + q * 2 + count));
        return cheapestRows(own.flat(), 5, count);
      });
      expect(found).toEqual(numbers[`assignment ${i}`]);
    }
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(total, p), feeds), reference["grads detection"]);
  });
  for (const name of ["cpu"] as const)
    describe(`on device ${name}`, () => {
      let device: Device;
      beforeAll(async () => {
        device = await openDevice(name, { threads: 1 });
      });
      it("gives the same numbers in float32, with the gradient of every parameter", () =>
        expectOnEngine(device, { ...shown, ...gradientsOf(total, p) }, feeds));
    });
});

describe("the tiny UniT on questions", () => {
  const p = new Params();
  const text = {
    states: input("bert_states", [2, 4, 20]),
    positions: input("bert_positions", [4, 20]),
    keep: input("text_keep", [2, 4], "int32"),
  };
  const memory = joinedMemory([unitImageMemory(p, tiny, vqa2!, image()), unitTextMemory(p, tiny, vqa2!, text)]);
  const logits = unitLabels(p, tiny, "vqa2", unitDecode(p, tiny, "vqa2", memory).at(-1)!);
  const { loss } = answerLoss(logits, input("scores", [2, 6]));
  const feeds = {
    ...shared,
    ...filledAll(p.specs()),
    bert_states: golden("bert_states", [2, 4, 20], -1, 1),
    bert_positions: golden("bert_positions", [4, 20], -1, 1),
    text_keep: ints([
      [1, 1, 1, 1],
      [1, 1, 1, 0],
    ]),
    scores: fromNumbers([0, 0.3, 0, 1, 0, 0, 0.6, 0, 0, 0, 0, 0.9], [2, 6], "float64"),
  };
  it("gives the reference's logits, loss and gradients", () => {
    const found = evaluate({ logits, loss }, feeds);
    expectLike(found.logits!, reference["vqa logits"], "logits");
    expectLike(found.loss!, reference["vqa loss"], "loss");
    for (const { name, shape } of p.specs()) expect(shape, name).toEqual(parameters[name]);
    expectNorms(evaluate(gradientsOf(loss, p), feeds), reference["grads vqa"]);
  });
  it("does so on the engine", async () => {
    await expectOnEngine(await openDevice("cpu", { threads: 1 }), { logits, loss, ...gradientsOf(loss, p) }, feeds);
  });
});

describe("the ResNet's pieces", () => {
  const p = new Params();
  const x = conv(p.at("conv1"), input("pixel_values", [2, 3, 32, 32]), 8, { kernel: 7, stride: 2, padding: 3 });
  const stem = relu(batchNorm(p.at("bn1"), x, { statistics: "frozen" }));
  const pooled = maxPool2d(stem, 3, { stride: 2, padding: 1 });
  const block = bottleneck(p.at("layer1.0"), pooled, { channels: 16, stride: 2, statistics: "frozen" });
  const weight = p.get("dilated.weight", [4, 16, 3, 3], { kind: "zeros" });
  const dilated = conv2d(block, weight, { dilation: 2, padding: 2 });
  const cotangent = constant(golden("resnet_cotangent", [2, 4, 4, 4], -1, 1), "float32");
  const loss = sum(mul(dilated, cotangent));
  const feeds = { pixel_values: golden("pixel_values", [2, 3, 32, 32], -2, 2), ...filledAll(p.specs()) };
  it("give the reference's numbers", () => {
    const values = {
      "after conv1, norm, ReLU": stem,
      "after 3x3 max pooling, stride 2, padding 1": pooled,
      "after the bottleneck": block,
      "dilated convolution": dilated,
      loss,
    };
    for (const [name, t] of Object.entries(evaluate(values, feeds)))
      expectLike(t, (pieces as Record<string, unknown>)[name], name);
    expect(filled("bn1.running_var", [8]).data[0]).toBeGreaterThan(0.7);
    expectNorms(evaluate(gradientsOf(loss, p), feeds), pieces["grads loss"]);
    expect(grad(loss, [weight])).toHaveLength(1);
  });
});
