/** The tiny FLAVA against another implementation's float64 numbers: every intermediate, loss, gradient and four steps of descent. */
import { describe, expect, it } from "vitest";
import { mul, sub, type Value } from "../../src/graph/index.ts";
import { gradients } from "../../src/optim/index.ts";
import { fnv1a } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { golden } from "./numbers.ts";
import { restricted, restrictedExpectations } from "./restricted.ts";
import { evaluate, norm, total } from "./run.ts";
import {
  imageCase,
  imageLoss,
  type PairExpectation,
  pairCase,
  pairExpectations,
  sizesOf,
  textCase,
  textLoss,
  tinyBatch,
  tinyConfig,
  tinyParameters,
} from "./tiny-case.ts";
import {
  contrastiveLogits,
  gradientExpectations,
  itmLogits,
  tensorExpectations,
  wordExpectations,
} from "./tiny-tensors.ts";

/** What ten printed decimals of a sum, and eight of an element, allow. */
const PRINTED = { rtol: 1e-9, atol: 1e-10 };
const DECIMALS = { atol: 6e-9 };

const [A, B, , C] = pairExpectations as [PairExpectation, PairExpectation, PairExpectation, PairExpectation];
const trace = (e: PairExpectation) => pairCase(tinyConfig, sizesOf(e));
const feedsOf = (e: PairExpectation, c: ReturnType<typeof trace>) => ({
  ...tinyBatch(e.itmLabels),
  ...tinyParameters(c.params.specs()),
});

describe("the generator", () => {
  it("gives the published seed and first numbers", () => {
    expect(fnv1a("pixel_values")).toBe(1887384366);
    expect(golden("pixel_values", [3], 0, 1).data).toBeAllclose(
      [0.6280346338171512, 0.5849224664270878, 0.3044975211378187],
      { atol: 1e-15 },
    );
  });
});

describe("the parameters", () => {
  it("start with the generator's published numbers", () => {
    const p = tinyParameters(trace(A).params.specs());
    expect((p["flava.multimodal_model.cls_token"]!.data as Float64Array).slice(0, 3)).toBeAllclose(
      [-0.04345137225, 0.04623862929, -0.10394509155],
      { atol: 6e-12 },
    );
    expect(
      (p["flava.image_model.encoder.layer.0.layernorm_before.weight"]!.data as Float64Array).slice(0, 2),
    ).toBeAllclose([1.04567239536, 1.13831333499], { atol: 6e-12 });
    expect((p["flava.text_model.embeddings.word_embeddings.weight"]!.data as Float64Array).slice(0, 2)).toBeAllclose(
      [-0.07297941791, 0.07604591078],
      { atol: 6e-12 },
    );
  });
});

describe("the intermediate tensors", () => {
  const c = trace(A);
  const wanted: Record<string, Value> = Object.fromEntries(tensorExpectations.map((e) => [e.name, e.value(c)]));
  const words = c.values.words;
  const itm = c.values.itm.logits;
  const similarities = c.objective.contrastive.logits_per_image;
  const found = evaluate({ ...wanted, words, itm, similarities }, feedsOf(A, c));
  for (const { name, shape, sum, first } of tensorExpectations)
    it(`${name} has the reference's shape, sum and first values`, () => {
      expect(found[name]!.shape).toEqual(shape);
      expect([total(found[name]!)]).toBeAllclose([sum], PRINTED);
      expect(found[name]!.data.slice(0, 4)).toBeAllclose(first, DECIMALS);
    });
  it("the visual words are the reference's", () => expect([...found.words!.data]).toEqual(wordExpectations));
  it("the matching logits are the reference's", () => expect(found.itm!.data).toBeAllclose(itmLogits, DECIMALS));
  it("the contrastive logits of all pairs are the reference's", () => {
    expect(found.similarities!.shape).toEqual([3, 3]);
    expect(found.similarities!.data).toBeAllclose(contrastiveLogits, DECIMALS);
  });
});

describe("the losses", () => {
  for (const e of pairExpectations)
    it(`on pairs with ${e.name} are the reference's`, () => {
      const c = trace(e);
      const { loss, losses } = c.objective;
      const found = evaluate({ loss, ...losses }, feedsOf(e, c));
      const expected = { loss: e.total, ...e.losses };
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, value] of Object.entries(expected))
        expect(found[name]!.data, name).toBeAllclose([value], PRINTED);
    });
  it("on images is the reference's", () => {
    const c = imageCase();
    const found = evaluate({ loss: c.objective.loss }, { ...tinyBatch(), ...tinyParameters(c.params.specs()) });
    expect(found.loss!.data).toBeAllclose([imageLoss], PRINTED);
  });
  it("on texts is the reference's", () => {
    const c = textCase();
    const found = evaluate({ loss: c.objective.loss }, { ...tinyBatch(), ...tinyParameters(c.params.specs()) });
    expect(found.loss!.data).toBeAllclose([textLoss], PRINTED);
  });
});

describe("the rows that count", () => {
  for (const e of restrictedExpectations)
    it(`of ${e.name} are those of the reference's restricted logits`, () => {
      const { rows, specs } = e.make();
      const found = evaluate({ ...rows }, { ...tinyBatch(e.itmLabels), ...tinyParameters(specs) });
      const actual = restricted(found.logits!, found.weights!);
      expect(actual.rows).toBe(e.rows);
      expect([actual.sum]).toBeAllclose([e.sum], PRINTED);
    });
  it("of the contrast are those of matched pairs", () => {
    for (const [e, pairs] of [
      [A, 2],
      [B, 3],
    ] as const) {
      const c = trace(e);
      const { count } = c.objective.contrastive.imageToText;
      expect([...evaluate({ count }, feedsOf(e, c)).count!.data]).toEqual([pairs]);
    }
  });
});

describe("the gradients of the total", () => {
  const norms = (e: PairExpectation) => {
    const c = trace(e);
    const found = evaluate(gradients(c.objective.loss, c.params.values()), feedsOf(e, c));
    return { c, found };
  };
  for (const [e, column] of [
    [A, 1],
    [B, 2],
    [C, 3],
  ] as const)
    it(`have the reference's norms with ${e.name}, and exist where the reference has them`, () => {
      const { c, found } = norms(e);
      for (const expectation of gradientExpectations) {
        const [name, expected] = [expectation[0], expectation[column]];
        if (expected === null) expect(found[name], name).toBeUndefined();
        else expect([norm(found[name]!)], name).toBeAllclose([expected], PRINTED);
      }
      expect(found["flava.logit_scale"]!.data[0]).toBeGreaterThan(0);
      const without = c.params.specs().flatMap(({ name }) => (found[name] ? [] : [name]));
      const unused = without.filter((name) => !/^image_codebook\.|^flava\..*\.pooler\./.test(name));
      const itmHead = ["pooler.dense.weight", "pooler.dense.bias", "seq_relationship.weight", "seq_relationship.bias"];
      expect(unused).toEqual(e.itmLabels ? [] : itmHead.map((name) => `itm_head.${name}`));
      expect(without.filter((name) => name.startsWith("image_codebook.")).length).toBe(
        c.params.specs().filter(({ name }) => name.startsWith("image_codebook.")).length,
      );
      expect(without).toContain("flava.image_model.pooler.dense.weight");
    });
  it("reach the image encoder's final LayerNorm through the contrastive loss alone", () => {
    const c = pairCase(tinyConfig, sizesOf(A), { globalContrastive: 0 });
    const found = Object.keys(gradients(c.objective.loss, c.params.values()));
    expect(found).toContain("flava.image_model.encoder.layer.1.output.dense.weight");
    expect(found.filter((name) => name.startsWith("flava.image_model.layernorm."))).toEqual([]);
  });
  it("never reach the padding word", () => {
    const { found } = norms(A);
    const words = found["flava.text_model.embeddings.word_embeddings.weight"]!;
    expect([...words.data.slice(0, 16)]).toEqual(new Array(16).fill(0));
    expect(Math.abs(words.data[16]!)).toBeGreaterThan(0);
  });
});

describe("plain gradient descent", () => {
  it("follows the reference's losses and logit scale for four steps of 0.01", () => {
    const c = trace(A);
    const params = c.params.values();
    const steps = Object.fromEntries(
      Object.entries(gradients(c.objective.loss, params)).map(([name, g]) => [name, sub(params[name]!, mul(g, 0.01))]),
    );
    let state = tinyParameters(c.params.specs());
    const losses: number[] = [];
    for (let step = 0; step < 4; step++) {
      const { loss, ...next } = evaluate({ ...steps, loss: c.objective.loss }, { ...tinyBatch(A.itmLabels), ...state });
      losses.push(loss!.data[0]!);
      state = { ...state, ...next };
    }
    expect(losses).toBeAllclose([9.1679654551, 7.9624508114, 7.3502857554, 6.8768000131], PRINTED);
    expect(state["flava.logit_scale"]!.data as Float64Array).toBeAllclose(
      { dtype: "float64", shape: [1], data: Float64Array.of(2.6587821615) },
      PRINTED,
    );
  });
});
