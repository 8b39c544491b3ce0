/** The tiny ALBEF on the reference's numbers: one whole step. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, constant, input, type Value } from "../../src/graph/index.ts";
import { albefConfig, albefMomentumName, albefOwnName, albefParameters } from "../../src/models/albef/index.ts";
import { Params } from "../../src/nn/index.ts";
import { albefLosses } from "../../src/pretrain/stages/albef-losses.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, size, type Tensor, tensor } from "../../src/tensor/index.ts";
import { WHOLE } from "../../src/train/plan.ts";
import { IDS, IDS_MASKED, LABELS, MASK } from "./compared-texts.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, PIXELS, shapesOf } from "./compared.ts";
import albef from "./compared/albef.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

const reference: Readonly<Record<string, unknown>> = albef;

const layers = { hiddenSize: 16, heads: 2, intermediateSize: 32 };
const tiny = albefConfig({
  image: { ...layers, layers: 2, imageSize: 32, patchSize: 8 },
  text: { ...layers, layers: 2, fusionLayers: 2, vocabSize: 40, maxPositions: 12 },
  projectionDim: 8,
});
const ALPHA = 0.4;

function traced() {
  const p = new Params();
  const ids = (name: string, width = 6): Value => input(name, [3, width], "int32");
  const batch = {
    pixel_values: input("pixel_values", [3, 3, 32, 32]),
    ...{ input_ids: ids("input_ids"), input_ids_masked: ids("input_ids_masked"), attention_mask: ids("attention_mask") },
    ...{ mlm_positions: ids("mlm_positions", 2), mlm_targets: ids("mlm_targets", 2) },
  };
  const start = constant(fromNumbers([0], [], "int32"));
  const step = { imageQueue: input("image_queue", [8, 6]), textQueue: input("text_queue", [8, 6]), start, alpha: ALPHA };
  return { p, found: albefLosses(p, tiny, batch, step, WHOLE) };
}

const { p, found } = traced();
const total = add(add(found.mlm, found.contrast.loss), found.itm.loss);

/** Columns of length 1. */
function queue(name: string): Tensor {
  const data = golden(name, [8, 6], -1, 1).data as Float64Array;
  const norms = Array.from({ length: 6 }, (_, c) => Math.hypot(...Array.from({ length: 8 }, (_, r) => data[6 * r + c]!)));
  return tensor("float64", [8, 6], data.map((x, i) => x / norms[i % 6]!));
}

/** Every weight by its own name; the averages have then moved once. */
function weights(): Record<string, Tensor> {
  const all = filledAll(p.specs());
  for (const [name, t] of Object.entries(all)) {
    const own = albefOwnName(name);
    if (own === undefined) continue;
    const data = (t.data as Float64Array).map((m, i) => 0.995 * m + 0.005 * Number(all[own]!.data[i]));
    all[name] = tensor("float64", t.shape, data);
  }
  return all;
}

const feeds = {
  ...{ pixel_values: PIXELS, input_ids: IDS, input_ids_masked: IDS_MASKED, attention_mask: MASK, ...LABELS },
  ...{ image_queue: queue("image_queue"), text_queue: queue("text_queue") },
  ...weights(),
};

const { states, contrast, itm, words, negatives, queues } = found;
const shown: Record<string, Value> = {
  image_embeds: states.image,
  text_embeds: states.text,
  image_feat: states.imageEmbeds,
  text_feat: states.textEmbeds,
  "image_embeds_m after the momentum update": states.imageMomentum,
  text_feat_m: states.textEmbedsMomentum,
  sim_i2t: contrast.imageToText.scores,
  sim_i2t_targets: contrast.imageToText.targets,
  sim_t2i: contrast.textToImage.scores,
  "itm logits": itm.logits,
  "mlm hard part": words.loss,
  "mlm distillation part": words.distilled,
  loss_mlm: found.mlm,
  loss_ita: contrast.loss,
  loss_itm: itm.loss,
  total,
  "image_queue after enqueue at pointer 0": queues.image_queue,
};

describe("the tiny ALBEF", () => {
  it("has the reference's parameters, an average of each but the temperature and the head of matching", () => {
    const own = albefParameters(tiny);
    expect(shapesOf(own)).toEqual(albef.parameters);
    expect(own.reduce((n, { shape }) => n + size(shape), 0)).toBe(20_539);
    const averages = own.flatMap(({ name }) => albefMomentumName(name) ?? []);
    expect(p.specs().map(({ name }) => name).filter((name) => albefOwnName(name)).sort()).toEqual(averages.sort());
    expect(own.length - averages.length).toBe(3);
  });
  it("gives the reference's states, scores, targets and losses", () => {
    const values = evaluate(shown, feeds);
    for (const [name, t] of Object.entries(values)) expectLike(t, reference[name], name);
  });
  it("takes the reference's hard negatives where nothing is drawn", () => {
    const { images, texts } = evaluate(negatives, feeds);
    expect([[...images!.data], [...texts!.data]]).toEqual([[1, 0, 1], [1, 0, 0]]);
  });
  it("predicts the reference's words", () => {
    // Logits at all places, not at masked ones alone: fed as positions.
    const all = new Params();
    const places = { mlm_positions: fromNumbers([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5], [3, 6], "int32") };
    const ids = (name: string): Value => input(name, [3, 6], "int32");
    const batch = {
      pixel_values: input("pixel_values", [3, 3, 32, 32]),
      ...{ input_ids: ids("input_ids"), input_ids_masked: ids("input_ids_masked"), attention_mask: ids("attention_mask") },
      ...{ mlm_positions: ids("mlm_positions"), mlm_targets: ids("mlm_targets") },
    };
    const step = { imageQueue: input("image_queue", [8, 6]), textQueue: input("text_queue", [8, 6]), alpha: ALPHA };
    const { words: w } = albefLosses(all, tiny, batch, { ...step, start: constant(fromNumbers([0], [], "int32")) }, WHOLE);
    const { logits } = evaluate({ logits: w.logits }, { ...feeds, ...places });
    expectLike({ ...logits!, shape: [3, 6, 40] }, reference["mlm logits"], "logits");
  });
  it("has the reference's gradients, none of an average", () => {
    const own = albefParameters(tiny).map(({ name }) => name);
    const gradients = evaluate(gradientsOf(total, p), feeds);
    expectNorms(gradients, reference["grads total"]);
    for (const [name, g] of Object.entries(gradients))
      if (!own.includes(name)) expect(g.data.every((x) => Number(x) === 0), name).toBe(true);
  });
});

describe.each(["cpu", "cpu-js"] as const)("on device %s", (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(name, { threads: 1 });
  });
  it("gives the same numbers in float32, with the gradient of every parameter", () => {
    const own = new Set(albefParameters(tiny).map((spec) => spec.name));
    const gradients = Object.entries(gradientsOf(total, p)).filter(([of]) => own.has(of));
    return expectOnEngine(device, { ...Object.fromEntries(gradients), ...shown, ...negatives }, feeds);
  });
});
