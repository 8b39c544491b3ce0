/** Hugging Face's models at other sizes and with other switches than the reference's tiny ones: test/reference/make_compared_goldens.py. */
import { describe, it } from "vitest";
import { add, input, mul, sum, type Value } from "../../src/graph/index.ts";
import { type AlignConfig, alignLogitScale, alignPairs } from "../../src/models/align/index.ts";
import { type ClipConfig, clipLogitScale, clipPairs } from "../../src/models/clip/index.ts";
import { familyOfConfig, familyOfWeights } from "../../src/models/index.ts";
import {
  lxmertAnswers,
  type VoltaConfig,
  volta,
  voltaInputs,
  voltaMatching,
  voltaPooled,
} from "../../src/models/volta/index.ts";
import { Params } from "../../src/nn/index.ts";
import { globalContrastive } from "../../src/objectives/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, filled, gradientsOf, ints } from "./compared.ts";
import reference from "./compared/other-sizes.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

interface Made {
  readonly p: Params;
  readonly outputs: Readonly<Record<string, Value>>;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

const integers = (name: string, shape: readonly number[]): Value => input(name, [...shape], "int32");
const product = (x: Value, name: string): Value => sum(mul(x, input(name, [...x.shape])));

const MAKE: { readonly [K in keyof typeof reference]: (config: never) => Made } = {
  clip(config: ClipConfig) {
    const p = new Params();
    const embeds = clipPairs(p, config, input("pixel_values", [3, 3, 15, 15]), integers("input_ids", [3, 6]));
    const { loss } = globalContrastive(embeds.image_embeds, embeds.text_embeds, clipLogitScale(p, config));
    return { p, outputs: { ...embeds, loss }, feeds: { pixel_values: golden("pixel_values", [3, 3, 15, 15], -2, 2) } };
  },
  align(config: AlignConfig) {
    const p = new Params();
    const [pixels, ids] = [input("pixel_values", [2, 3, 19, 19]), integers("input_ids", [2, 5])];
    const keep = integers("attention_mask", [2, 5]);
    const embeds = alignPairs(p, config, { pixels, ids, keep }, { statistics: "batch" });
    const options = { smoothing: config.labelSmoothing };
    const { loss } = globalContrastive(embeds.image_embeds, embeds.text_embeds, alignLogitScale(p, config), options);
    return { p, outputs: { ...embeds, loss }, feeds: { pixel_values: golden("pixel_values", [2, 3, 19, 19], -2, 2) } };
  },
  lxmert(config: VoltaConfig) {
    const p = new Params();
    const { states } = volta(p, config, voltaInputs(config, { batch: 2, textLength: 4, regions: 3 }));
    const [matching, answers] = [
      voltaMatching(p, config, states),
      lxmertAnswers(p, config, voltaPooled(p, config, states)),
    ];
    const feeds = {
      region_features: golden("region_features", [2, 3, 7], 0, 2),
      region_boxes: golden("region_boxes", [2, 3, 4], 0, 1),
      matching: golden("matching", [2, 2], -1, 1),
      answers: golden("answers", [2, 4], -1, 1),
    };
    return { p, outputs: { matching, answers, loss: add(product(matching, "matching"), product(answers, "answers")) }, feeds };
  },
};

/** Their names of our parameters. */
function theirNames(names: readonly string[]): ReadonlyMap<string, string> {
  const tensors = new Map(names.map((name) => [name, { dtype: "float32" as const, shape: [1] }]));
  const file = { name: "model.safetensors", tensors, read: () => Promise.reject(new Error("not read")) };
  return familyOfWeights(file, undefined).named.stored;
}

describe.each(Object.entries(reference))("Hugging Face's %s of another size", (name, { config, ...expected }) => {
  const { p, outputs, feeds } = MAKE[name as keyof typeof MAKE](familyOfConfig(config).fromConfig(config) as never);
  const theirs = theirNames(expected.names);
  const weights = p.specs().map((spec) => [spec.name, filled(theirs.get(spec.name)!, spec.shape)]);
  const ids = Object.entries(expected.inputs).map(([key, rows]) => [key, ints(rows)]);
  const all = { ...feeds, ...Object.fromEntries([...ids, ...weights]) };

  it("gives their results", () => {
    for (const [key, t] of Object.entries(evaluate(outputs, all)))
      expectLike(t, (expected.outputs as Record<string, unknown>)[key], key);
  });
  it("has their gradients", () => {
    const found = evaluate(gradientsOf(outputs.loss!, p), all);
    expectNorms(Object.fromEntries(Object.entries(found).map(([key, g]) => [theirs.get(key)!, g])), expected.gradients);
  });
});
