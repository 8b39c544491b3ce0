/** The tiny ViLT and the transport plan on the reference's numbers. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, constant, input, mul, reshape, slice, type Value } from "../../src/graph/index.ts";
import { viltConfig, viltFuse, viltImage, viltMasked, viltMatched, viltText, viltWords } from "../../src/models/vilt/index.ts";
import { Params } from "../../src/nn/index.ts";
import { alignmentLoss, imageTextMatching, maskedCrossEntropy, transport, wordsOf } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { size, type Tensor, tensor } from "../../src/tensor/index.ts";
import { IDS, IDS_MASKED, LABELS, MASK } from "./compared-texts.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, PIXELS, shapesOf } from "./compared.ts";
import vilt from "./compared/vilt.json" with { type: "json" };
import wpa from "./compared/wpa.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate, norm } from "./run.ts";

const reference: Readonly<Record<string, unknown>> = vilt;

const tiny = viltConfig({
  ...{ hiddenSize: 16, layers: 2, heads: 2, intermediateSize: 32, layerNormEps: 1e-12, tiedDecoder: true },
  image: { imageSize: 32, patchSize: 8 },
  text: { vocabSize: 40, maxPositions: 12 },
});

const MATCHED = ints([[1, 0, 1]]).data as Int32Array;

/** Both passes; "padded": sample 1 is 3 × 2 patches of the canvas. */
function traced(config = tiny, padded = false) {
  const p = new Params();
  const ids = (name: string): Value => input(name, [3, 6], "int32");
  const grid = padded ? input("image_grid", [3, 2], "int32") : undefined;
  const image = viltImage(p, config, input("pixel_values", [3, 3, 32, 32]), { grid });
  const mask = ids("attention_mask");
  const batch = {
    ...{ input_ids: ids("input_ids"), input_ids_masked: ids("input_ids_masked"), attention_mask: mask },
    mlm_positions: input("mlm_positions", [3, 2], "int32"),
    mlm_targets: input("mlm_targets", [3, 2], "int32"),
  };
  const text = viltText(p, config, batch.input_ids, mask);
  const fused = viltFuse(p, config, viltText(p, config, batch.input_ids_masked, mask), image);
  const states = fused.last_hidden_state;
  const rows = slice(states, 1, 0, 6);
  const masked = viltMasked(p, config, batch, image);
  const whole = viltMatched(p, config, text, image);
  const labels = constant({ dtype: "int32", shape: [3], data: MATCHED });
  const patches = image.keep && slice(image.keep, 1, 1);
  const { distances } = transport({ text: whole.text, image: whole.patches, words: wordsOf(mask, whole.text), patches });
  const plain = viltFuse(p, config, text, image);
  return {
    ...{ p, image, fused, rows, masked, whole, distances },
    logits: viltWords(p, config, reshape(rows, [18, 16])),
    mlm: maskedCrossEntropy(masked).loss,
    itm: imageTextMatching(whole.logits, labels).loss,
    wpa: alignmentLoss(distances, labels),
    plain,
  };
}

/** The canvas with what lies outside sample 1's 24 × 16 pixels set to 0. */
function canvas(): Tensor {
  const data = Float64Array.from(PIXELS.data as Float64Array);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < 32; y++)
      for (let x = 0; x < 32; x++) if (y >= 24 || x >= 16) data[((3 + c) * 32 + y) * 32 + x] = 0;
  return tensor("float64", [3, 3, 32, 32], data);
}

const common = { input_ids: IDS, input_ids_masked: IDS_MASKED, attention_mask: MASK, ...LABELS };
const feeds = {
  square: { pixel_values: PIXELS, ...common },
  padded: { pixel_values: canvas(), image_grid: ints([[4, 4], [3, 2], [4, 4]]), ...common },
};

describe.each(["square", "padded"] as const)("the tiny ViLT, %s", (kind) => {
  const t = traced(tiny, kind === "padded");
  const fed = { ...feeds[kind], ...filledAll(t.p.specs()) };
  const all = t.fused.hidden_states[0]!;
  const shown: Record<string, Value> = {
    "hidden_states[0] text part": slice(all, 1, 0, 6),
    "hidden_states[0] image part": slice(all, 1, 6),
    "hidden_states[2] text part": slice(t.fused.hidden_states[2]!, 1, 0, 6),
    "unmasked last_hidden_state, text part": slice(t.plain.last_hidden_state, 1, 0, 6),
    "pooler_output (fill of vilt.pooler.dense)": t.plain.pooler_output,
    "mlm loss": t.mlm,
    "itm logits": t.whole.logits,
    "itm loss": t.itm,
    "transport distances": t.distances,
    "wpa loss before its weight 0.1": t.wpa,
  };
  // Tokens of padding differ: here a patch outside its picture is a patch of zeros, there a random one.
  if (kind === "square") shown["unmasked last_hidden_state, image part"] = slice(t.plain.last_hidden_state, 1, 6);

  it("gives the reference's states and losses", () => {
    const found = evaluate({ ...shown, logits: t.logits }, fed);
    for (const name of Object.keys(shown)) expectLike(found[name]!, reference[`${kind}: ${name}`], name);
    const logits = { ...found.logits!, shape: [3, 6, 40] };
    expectLike(logits, reference[`${kind}: logits`], "logits");
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(t.mlm, t.p), fed), reference[`grads ${kind}`]);
    const others = evaluate(gradientsOf(add(t.itm, mul(t.wpa, 0.1)), t.p), fed);
    expectNorms(others, reference[`grads ${kind}, itm + 0.1 wpa`]);
  });
  it("predicts with a matrix of its own where it is not tied", () => {
    const own = traced({ ...tiny, tiedDecoder: false }, kind === "padded");
    const found = evaluate({ mlm: own.mlm, logits: own.logits }, { ...fed, ...filledAll(own.p.specs()) });
    expectLike(found.mlm!, reference[`${kind}: mlm loss, decoder not tied`], "mlm");
    expectLike({ ...found.logits!, shape: [3, 6, 40] }, reference[`${kind}: logits, decoder not tied`], "logits");
  });
});

describe("the tiny ViLT", () => {
  it("has the reference's parameters, and the head of matching", () => {
    const { "itm_score.fc.weight": weight, "itm_score.fc.bias": bias, ...others } = shapesOf(traced().p.specs());
    expect([weight, bias]).toEqual([[2, 16], [2]]);
    expect(others).toEqual(vilt.parameters);
    expect(Object.values(others).reduce((n, shape) => n + size(shape), 0)).toBe(9400);
  });
  it("does not let the other pictures of a canvas change a picture", () => {
    const t = traced(tiny, true);
    const found = evaluate({ a: t.whole.text }, { ...feeds.padded, ...filledAll(t.p.specs()) });
    const loud = { ...feeds.padded, pixel_values: PIXELS }; // sample 1 has pixels outside its picture
    const same = evaluate({ a: t.whole.text }, { ...loud, ...filledAll(t.p.specs()) });
    expect(same.a!.data).toEqual(found.a!.data);
  });
});

describe("transport between words and patches", () => {
  const text = input("wpa.text", [3, 4, 6]);
  const image = input("wpa.image", [3, 5, 6]);
  const words = ints([[1, 1, 1, 1], [1, 1, 1, 0], [0, 1, 1, 0]]);
  const patches = ints([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 0]]);
  const found = transport({ text, image, words: constant(words), patches: constant(patches) });
  const loss = alignmentLoss(found.distances, constant({ dtype: "int32", shape: [3], data: MATCHED }));
  const fed = { "wpa.text": golden("wpa.text", [3, 4, 6], -1, 1), "wpa.image": golden("wpa.image", [3, 5, 6], -1, 1) };

  it("gives the reference's cost, plan and distances", () => {
    const { cost, plan, distances, loss: value } = evaluate({ ...found, loss }, fed);
    expectLike(cost!, wpa.cost, "cost");
    expectLike(distances!, wpa.distances, "distances");
    expectLike(value!, wpa["loss (to be weighted 0.1)"], "loss");
    for (const b of [0, 2]) {
      const rows = plan!.data.slice(b * 20, (b + 1) * 20) as Float64Array;
      expectLike({ dtype: "float64", shape: [5, 4], data: rows }, (wpa as Record<string, unknown>)[`plan of sample ${b}`], "plan");
    }
  });
  it("has the reference's gradients, none of them through the plan", () => {
    const p = { values: () => ({ text, image }) } as unknown as Params;
    expectNorms(evaluate(gradientsOf(loss, p), fed), wpa["grads loss"]);
  });
  it("is 0 and finite for a text without words", () => {
    const none = constant(ints([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]));
    const empty = transport({ text, image, words: none, patches: undefined });
    const { distances, plan } = evaluate(empty as unknown as Record<string, Value>, fed);
    expect([...distances!.data]).toEqual([0, 0, 0]);
    expect(norm(plan!)).toBe(0);
  });
  it("takes what stands between the first and the last token for words", () => {
    const masks = ints([[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]]);
    const { w } = evaluate({ w: wordsOf(constant(masks), text) }, {});
    expect(Array.from(w!.data).join("")).toBe("011100" + "000000" + "011110" + "000000");
  });
});

describe.each(["cpu", "cpu-js"] as const)("on device %s", (name) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(name, { threads: 1 });
  });
  it("gives the same numbers in float32, with the gradient of every parameter", () => {
    const t = traced(tiny, true);
    const loss = add(add(t.mlm, t.itm), mul(t.wpa, 0.1));
    const values = { ...gradientsOf(loss, t.p), loss, distances: t.distances, states: t.plain.last_hidden_state };
    return expectOnEngine(device, values, { ...feeds.padded, ...filledAll(t.p.specs()) });
  });
});
