/** The tiny Oscar+ on the reference's numbers. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, constant, input, reshape, slice, type Value } from "../../src/graph/index.ts";
import { fromVinvlConfigJson, isVinvlConfig, vinvl, vinvlClasses, vinvlConfig, vinvlConfigJson, vinvlWords } from "../../src/models/vinvl/index.ts";
import { Params } from "../../src/nn/index.ts";
import { maskedCrossEntropy } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, size, type Tensor } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, gradientsOf, ints, shapesOf } from "./compared.ts";
import reference from "./compared/oscar.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

const config = vinvlConfig({
  hiddenSize: 16,
  layers: 2,
  heads: 2,
  intermediateSize: 32,
  text: { vocabSize: 40, maxPositions: 12 },
  regions: { features: 8 },
});
const [B, T, R] = [3, 6, 5];

const p = new Params();
const { hidden_states, pooler_output } = vinvl(p, config, {
  input_ids: input("input_ids", [B, T], "int32"),
  attention_mask: input("attention_mask", [B, T], "int32"),
  token_type_ids: input("token_type_ids", [B, T], "int32"),
  region_features: input("region_features", [B, R, 8]),
  region_boxes: input("region_boxes", [B, R, 6]),
  region_mask: input("region_mask", [B, R], "int32"),
});
const last = hidden_states.at(-1)!;
const logits = reshape(vinvlWords(p, config, reshape(last, [B * (T + R), 16])), [B, T + R, 40]);
const classes = vinvlClasses(p, config, pooler_output);
const numbers = (list: readonly number[], dtype: "int32" | "float64"): Value =>
  constant(fromNumbers(list, [list.length], dtype), dtype === "int32" ? "int32" : "float32");
const LABELS = new Map([
  [2, 8],
  [7, 10],
  [15, 14],
  [16, 15],
]);
const places = Array.from({ length: B * T }, (_, i) => i);
const mlm = maskedCrossEntropy({
  logits: reshape(slice(logits, 1, 0, T), [B * T, 40]),
  targets: numbers(places.map((i) => LABELS.get(i) ?? 0), "int32"),
  weights: numbers(places.map((i) => (LABELS.has(i) ? 1 : 0)), "float64"),
}).loss;
const three = maskedCrossEntropy({
  logits: classes,
  targets: numbers([0, 2, 1], "int32"),
  weights: numbers([1, 1, 1], "float64"),
}).loss;
const total = add(mlm, three);
const shown: Record<string, Value> = {
  embeddings: hidden_states[0]!,
  "last state": last,
  "lm logits": logits,
  "three-way logits": classes,
  mlm,
  "contrastive 3-way": three,
  total,
};
const feeds: Record<string, Tensor> = {
  input_ids: ints([
    [1, 7, 3, 9, 2, 0],
    [1, 3, 11, 2, 0, 0],
    [1, 12, 13, 3, 21, 2],
  ]),
  attention_mask: ints([
    [1, 1, 1, 1, 1, 0],
    [1, 1, 1, 1, 0, 0],
    [1, 1, 1, 1, 1, 1],
  ]),
  token_type_ids: ints([
    [0, 0, 0, 1, 1, 0],
    [0, 0, 1, 1, 0, 0],
    [0, 0, 0, 0, 1, 1],
  ]),
  region_features: golden("region_features", [B, R, 8], 0, 2),
  region_boxes: golden("region_boxes", [B, R, 6], 0, 1),
  region_mask: ints([
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0],
    [1, 1, 1, 1, 0],
  ]),
  ...filledAll(p.specs()),
};

describe("the tiny Oscar+", () => {
  it("has the reference's parameters", () => {
    expect(shapesOf(p.specs())).toEqual(reference["parameters by name"]);
    expect(p.specs().reduce((n, { shape }) => n + size(shape), 0)).toBe(reference.parameters);
  });
  it("gives the reference's states and losses", () => {
    for (const [name, t] of Object.entries(evaluate(shown, feeds)))
      expectLike(t, (reference as Record<string, unknown>)[name], name);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradientsOf(total, p), feeds), reference["grads total"]);
  });
});

describe("Oscar's config.json", () => {
  const oscar = { img_feature_dim: 2054, hidden_size: 768 };
  it("has no norm behind regions and two classes where it says nothing, as in Oscar's code", () => {
    expect(fromVinvlConfigJson(oscar)).toMatchObject({ classes: 2, regions: { features: 2048, layerNorm: false } });
    const plus = { ...oscar, use_img_layernorm: 1, img_layer_norm_eps: 1e-6, num_contrast_classes: 3 };
    const config = fromVinvlConfigJson(plus);
    expect(config).toMatchObject({ classes: 3, regions: { layerNorm: true, layerNormEps: 1e-6 } });
    expect(fromVinvlConfigJson(vinvlConfigJson(config))).toEqual(config);
    expect(() => fromVinvlConfigJson({ ...oscar, img_feature_type: "dis_code" })).toThrow(/img_feature_type/);
  });
  it("is known by the width of its regions, also where a BERT's class wrote it", () => {
    expect([oscar, { ...oscar, model_type: "bert" }].map(isVinvlConfig)).toEqual([true, true]);
    expect([{ model_type: "bert" }, { ...oscar, model_type: "clip" }].map(isVinvlConfig)).toEqual([false, false]);
  });
});

describe("on device cpu", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu", { threads: 1 });
  });
  it("gives the same numbers in float32, with the gradient of every parameter", () =>
    expectOnEngine(device, { ...shown, ...gradientsOf(total, p) }, feeds));
});
