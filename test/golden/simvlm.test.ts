/** The tiny SimVLM on the reference's numbers. */
import { beforeAll, describe, expect, it } from "vitest";
import { input, reshape, type Value } from "../../src/graph/index.ts";
import { embeddedWords, simvlmConfig, simvlmDecode, simvlmEncode, simvlmWords } from "../../src/models/simvlm/index.ts";
import { placesAsTokens, simvlmStem } from "../../src/models/simvlm/stem.ts";
import { Params } from "../../src/nn/index.ts";
import { labelledRows, maskedCrossEntropy } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, PIXELS, shapesOf } from "./compared.ts";
import reference from "./compared/simvlm.json" with { type: "json" };
import { evaluate } from "./run.ts";

const tiny = simvlmConfig({
  image: { stem: "patchify", imageSize: 32, patchSize: 8, stemWidth: 8, blocks: [16, 16] },
  text: { vocabSize: 40, maxPositions: 12 },
  ...{ hiddenSize: 16, heads: 2, intermediateSize: 32, encoderLayers: 2, decoderLayers: 2 },
});

const FEEDS = {
  pixel_values: PIXELS,
  prefix_ids: ints([
    [7, 8, 0],
    [12, 13, 14],
    [0, 0, 0],
  ]),
  decoder_ids: ints([
    [1, 9, 10, 11, 0, 0],
    [1, 15, 0, 0, 0, 0],
    [1, 16, 17, 18, 0, 0],
  ]),
  decoder_labels: ints([
    [9, 10, 11, 2, -100, -100],
    [15, 2, -100, -100, -100, -100],
    [16, 17, 18, 2, -100, -100],
  ]),
};
const MASKS = {
  pairs: ints([
    [1, 1, 0],
    [1, 1, 1],
    [0, 0, 0],
  ]),
  texts: ints([
    [1, 1, 0],
    [1, 1, 1],
    [1, 0, 0],
  ]),
};

function traced(kind: "pairs" | "texts") {
  const p = new Params();
  const pixels = kind === "pairs" ? input("pixel_values", [3, 3, 32, 32]) : undefined;
  const text = { ids: input("prefix_ids", [3, 3], "int32"), keep: input("prefix_mask", [3, 3], "int32") };
  const ids = input("decoder_ids", [3, 6], "int32");
  const memory = simvlmEncode(p, tiny, { pixels, text }, { statistics: "batch" });
  const states = simvlmDecode(p, tiny, embeddedWords(p, tiny, "decoder", ids), memory);
  const logits = simvlmWords(p, tiny, states);
  const { loss } = maskedCrossEntropy(labelledRows(logits, input("decoder_labels", [3, 6], "int32")));
  const shown: Record<string, Value> = { memory: memory.states, logits: reshape(logits, [3, 6, 40]), loss };
  return { p, shown, loss, feeds: { ...FEEDS, prefix_mask: MASKS[kind], ...filledAll(p.specs()) } };
}

describe.each(["pairs", "texts"] as const)("the tiny SimVLM on %s", (kind) => {
  const { p, shown, loss, feeds } = traced(kind);
  it("gives the reference's states and loss", () => {
    for (const [name, t] of Object.entries(evaluate(shown, feeds)))
      expectLike(t, (reference as Record<string, unknown>)[`${kind}: ${name}`], name);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(loss, p), feeds), reference[`grads ${kind}`]);
  });
});

describe("the tiny SimVLM", () => {
  const { p, shown, loss, feeds } = traced("pairs");
  it("has the reference's parameters, and buffers of its norms", () => {
    const trained = p.specs().filter(({ buffer }) => !buffer);
    expect(shapesOf(trained)).toEqual(reference.parameters);
    expect(p.specs().length - trained.length).toBe(14);
  });
  it("makes the reference's tokens of pixels", () => {
    const x = simvlmStem(new Params().at("stem"), tiny, input("pixel_values", [3, 3, 32, 32]), "batch");
    const found = evaluate({ x, tokens: placesAsTokens(x) }, feeds);
    expectLike(found.x!, reference["pairs: stem"], "stem");
    expect(found.tokens!.shape).toEqual([3, 16, 16]);
  });

  for (const name of ["cpu", "cpu-js"] as const)
    describe(`on device ${name}`, () => {
      let device: Device;
      beforeAll(async () => {
        device = await openDevice(name, { threads: 1 });
      });
      it("gives the same numbers in float32, with the gradient of every parameter", () =>
        expectOnEngine(device, { ...shown, ...gradientsOf(loss, p), ...p.observed() }, feeds));
    });
});
