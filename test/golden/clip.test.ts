/** The tiny CLIP on the reference's numbers, and its ResNet beside a plain version. */
import { beforeAll, describe, expect, it } from "vitest";
import { input, mean, type Value } from "../../src/graph/index.ts";
import { clipConfig, clipImage, clipLogitScale, clipPairs, clipText } from "../../src/models/clip/index.ts";
import { Params } from "../../src/nn/index.ts";
import { globalContrastive } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { size } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, PIXELS, shapesOf } from "./compared.ts";
import reference from "./compared/clip.json" with { type: "json" };
import { evaluate } from "./run.ts";

const layers = { hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32 };
const tiny = clipConfig({
  image: { ...layers, imageSize: 32, patchSize: 8 },
  text: { ...layers, vocabSize: 40, maxPositions: 12 },
  projectionDim: 10,
});
const IDS = ints([
  [1, 7, 8, 9, 39, 0],
  [1, 10, 11, 39, 0, 0],
  [1, 12, 13, 14, 15, 39],
]);

function traced(config = tiny) {
  const p = new Params();
  const [pixels, ids] = [input("pixel_values", [3, 3, 32, 32]), input("input_ids", [3, 6], "int32")];
  const [image, text] = [clipImage(p, config, pixels), clipText(p, config, ids)];
  const { image_embeds, text_embeds } = clipPairs(p, config, pixels, ids, { statistics: "batch" });
  const contrast = globalContrastive(image_embeds, text_embeds, clipLogitScale(p, config));
  return { p, image, text, image_embeds, text_embeds, contrast };
}

const { p, image, text, image_embeds, text_embeds, contrast } = traced();
const feeds = { pixel_values: PIXELS, input_ids: IDS, ...filledAll(p.specs()) };
const shown: Record<string, Value> = {
  "vision hidden_states[0] (after pre_layrnorm)": image.hidden_states[0]!,
  "vision hidden_states[1]": image.hidden_states[1]!,
  "vision last_hidden_state": image.hidden_states[2]!,
  "vision pooler_output": image.features,
  "text hidden_states[0]": text.hidden_states[0]!,
  "text hidden_states[1]": text.hidden_states[1]!,
  "text last_hidden_state": text.embeddings,
  "text pooler_output": text.features,
  image_embeds,
  text_embeds,
  logits_per_image: contrast.logits_per_image,
  loss: contrast.loss,
};

describe("the tiny CLIP", () => {
  it("has the reference's parameters", () => {
    expect(shapesOf(p.specs())).toEqual(reference.parameters);
    expect(p.specs().reduce((n, { shape }) => n + size(shape), 0)).toBe(13_505);
  });
  it("gives the reference's states, embeddings and loss", () => {
    const found = evaluate(shown, feeds);
    for (const [name, t] of Object.entries(found)) expectLike(t, (reference as Record<string, unknown>)[name], name);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(contrast.loss, p), feeds), reference["grads loss"]);
  });
  it("takes the named end of a text, the first where there are several", () => {
    const named = traced({ ...tiny, text: { ...tiny.text, endTokenId: 39 } });
    const padded = ints([
      [1, 7, 8, 9, 39, 39],
      [1, 10, 11, 39, 39, 39],
      [1, 12, 13, 14, 15, 39],
    ]);
    const found = evaluate({ x: named.text_embeds }, { ...feeds, input_ids: padded });
    expectLike(found.x!, reference.text_embeds, "text_embeds");
  });
});

const resnet = clipConfig({
  image: { tower: "resnet", imageSize: 32, width: 2, heads: 2, blocks: [2, 1, 1, 1] },
  text: { ...layers, vocabSize: 40, maxPositions: 12 },
  projectionDim: 10,
});

for (const name of ["cpu", "cpu-js"] as const)
  describe(`on device ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(name, { threads: 1 });
    });
    it("gives the same numbers in float32, with the gradient of every parameter", () =>
      expectOnEngine(device, { ...shown, ...gradientsOf(contrast.loss, p) }, feeds));
    it.skipIf(name === "cpu-js")("does so with a ResNet", () => {
      const r = traced(resnet);
      const values = { ...gradientsOf(r.contrast.loss, r.p), loss: r.contrast.loss, ...r.p.observed() };
      const own = { ...feeds, ...filledAll(r.p.specs()) };
      return expectOnEngine(device, { ...values, running: mean(r.image.features) }, own, 5e-4);
    });
  });

