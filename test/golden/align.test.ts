/** The tiny ALIGN on the reference's numbers. */
import { beforeAll, describe, expect, it } from "vitest";
import { input, type Value } from "../../src/graph/index.ts";
import {
  alignConfig,
  alignImage,
  alignLogitScale,
  alignMomentum,
  alignPairs,
  alignText,
} from "../../src/models/align/index.ts";
import { Params } from "../../src/nn/index.ts";
import { globalContrastive } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { size } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, PIXELS, shapesOf } from "./compared.ts";
import reference from "./compared/align.json" with { type: "json" };
import { evaluate } from "./run.ts";

const tiny = alignConfig({
  image: {
    ...{ imageSize: 32, widthCoefficient: 0.25, depthCoefficient: 1, depthDivisor: 4 },
    kernelSizes: [3, 3, 5],
    inChannels: [32, 16, 24],
    outChannels: [16, 24, 40],
    strides: [1, 2, 2],
    repeats: [1, 2, 2],
    expandRatios: [1, 6, 6],
    momentum: 0.99,
  },
  text: { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32, vocabSize: 40, maxPositions: 12 },
});

const IDS = [
  [1, 7, 8, 9, 2, 0],
  [1, 10, 11, 2, 0, 0],
  [1, 12, 13, 14, 15, 2],
];

function traced(statistics: "batch" | "running") {
  const p = new Params();
  const pixels = input("pixel_values", [3, 3, 32, 32]);
  const [ids, keep] = [input("input_ids", [3, 6], "int32"), input("attention_mask", [3, 6], "int32")];
  const image = alignImage(p, tiny, pixels, { statistics });
  const text = alignText(p, tiny, ids, { keep });
  const embeds = alignPairs(p, tiny, { pixels, ids, keep }, { statistics });
  const scale = alignLogitScale(p, tiny);
  const { smoothing } = { smoothing: tiny.labelSmoothing };
  const { loss, logits_per_image } = globalContrastive(embeds.image_embeds, embeds.text_embeds, scale, { smoothing });
  const shown: Record<string, Value> = {
    ...Object.fromEntries(image.hidden_states.map((x, i) => [`vision hidden_states[${i}]`, x])),
    "vision pooler_output": image.features,
    "text last_hidden_state": text.last_hidden_state,
    ...embeds,
    logits_per_image,
    loss,
  };
  return { p, shown, loss };
}

const feedsOf = (p: Params) => ({
  pixel_values: PIXELS,
  input_ids: ints(IDS),
  attention_mask: ints(IDS.map((row) => row.map((id) => (id === 0 ? 0 : 1)))),
  ...filledAll(p.specs()),
});

describe.each([
  ["eval", "running"],
  ["train", "batch"],
] as const)("the tiny ALIGN in %s mode", (mode, statistics) => {
  const { p, shown, loss } = traced(statistics);
  const feeds = feedsOf(p);
  it("gives the reference's states, embeddings and loss", () => {
    for (const [name, t] of Object.entries(evaluate(shown, feeds)))
      expectLike(t, (reference as Record<string, unknown>)[`${mode}: ${name}`], name);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(loss, p), feeds), reference[`grads ${mode}`]);
  });
});

describe("the tiny ALIGN", () => {
  const { p, shown, loss } = traced("batch");
  it("has the reference's parameters, and buffers of its norms", () => {
    const trained = p.specs().filter(({ buffer }) => !buffer);
    expect(shapesOf(trained)).toEqual(reference.parameters);
    expect(trained.reduce((n, { shape }) => n + size(shape), 0)).toBe(15_527);
    const counters = Object.keys(reference.buffers).filter((name) => name.endsWith("num_batches_tracked"));
    const buffers = p.specs().filter(({ buffer }) => buffer);
    expect(buffers.map(({ name }) => name).sort()).toEqual(
      Object.keys(reference.buffers)
        .filter((name) => !counters.includes(name) && !name.endsWith("_ids"))
        .sort(),
    );
  });
  it("keeps the running statistics that the reference keeps, with another momentum behind expansions", () => {
    const found = evaluate(alignMomentum(tiny.image, p.observed()), feedsOf(p));
    for (const [name, t] of Object.entries(found)) {
      const expected = (reference as Record<string, unknown>)[`after one step ${name}`];
      if (expected) expectLike(t, expected, name);
    }
    expect(Object.keys(found)).toHaveLength(2 * 15);
  });

  for (const name of ["cpu"] as const)
    describe(`on device ${name}`, () => {
      let device: Device;
      beforeAll(async () => {
        device = await openDevice(name, { threads: 1 });
      });
      it("gives the same numbers in float32, with the gradient of every parameter", () =>
        expectOnEngine(device, { ...shown, ...gradientsOf(loss, p), ...p.observed() }, feedsOf(p)));
    });
});
