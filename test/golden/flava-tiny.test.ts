/** The tiny FLAVA against another implementation's float64 numbers: every intermediate, loss, gradient and four steps of descent. */
import { describe, expect, it } from "vitest";
import { mul, sub, type Value } from "../../src/graph/index.ts";
import { pairWeights } from "../../src/objectives/index.ts";
import { gradients } from "../../src/optim/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import "../matchers.ts";
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

/** What ten printed digits of a sum, and eight decimals of an element, allow. */
const PRINTED = { rtol: 1e-9, atol: 1e-10 };
const DECIMALS = { atol: 6e-9 };

const [A, B, , C] = pairExpectations as [PairExpectation, PairExpectation, PairExpectation, PairExpectation];
const trace = (e: PairExpectation) => pairCase(tinyConfig, sizesOf(e));
const feedsOf = (e: PairExpectation, c: ReturnType<typeof trace>) => ({
  ...tinyBatch(e.itmLabels),
  ...tinyParameters(c.params.specs()),
});

/** Rows of (R, V) where a weight is positive: what Hugging Face returns as its restricted logits. */
function restricted(logits: Tensor, weights: Tensor): { rows: number; sum: number } {
  const V = logits.shape[1]!;
  const chosen = [...(weights.data as Float64Array).keys()].filter((r) => Number(weights.data[r]) > 0);
  const values = logits.data as Float64Array;
  return {
    rows: chosen.length,
    sum: chosen.reduce((s, r) => s + values.slice(r * V, (r + 1) * V).reduce((a, b) => a + b, 0), 0),
  };
}

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
    const { logits, weights } = c.values.mim;
    const found = evaluate(
      { loss: c.objective.loss, logits, weights },
      { ...tinyBatch(), ...tinyParameters(c.params.specs()) },
    );
    expect(found.loss!.data).toBeAllclose([imageLoss], PRINTED);
    const { rows, sum } = restricted(found.logits!, found.weights!);
    expect(rows).toBe(14);
    expect([sum]).toBeAllclose([38.8053284137], PRINTED);
  });
  it("on texts is the reference's", () => {
    const c = textCase();
    const { logits, weights } = c.values.mlm;
    const found = evaluate(
      { loss: c.objective.loss, logits, weights },
      { ...tinyBatch(), ...tinyParameters(c.params.specs()) },
    );
    expect(found.loss!.data).toBeAllclose([textLoss], PRINTED);
    const { rows, sum } = restricted(found.logits!, found.weights!);
    expect(rows).toBe(4);
    expect([sum]).toBeAllclose([9.3591999014], PRINTED);
  });
});

describe("the rows that count", () => {
  for (const [e, patches, tokens, pairs] of [
    [A, { rows: 8, sum: 18.377499394 }, { rows: 3, sum: -9.3802839495 }, 2],
    [B, { rows: 14, sum: 19.2419186306 }, { rows: 4, sum: -10.0827573464 }, 3],
  ] as const)
    it(`with ${e.name} are those of the reference's restricted logits`, () => {
      const c = trace(e);
      const { mmm_image, mmm_text, itm } = c.values;
      const counts = pairWeights(itm.labels!, itm.logits);
      const found = evaluate(
        { image: mmm_image.logits, text: mmm_text.logits, a: mmm_image.weights, b: mmm_text.weights, counts },
        feedsOf(e, c),
      );
      const keep = [...found.counts!.data];
      const kept = (weights: Tensor): Tensor => ({
        ...weights,
        data: (weights.data as Float64Array).map(
          (w, r) => w * keep[Math.floor((r * keep.length) / weights.shape[0]!)]!,
        ),
      });
      expect(keep.filter((w) => w > 0).length).toBe(pairs);
      const [image, text] = [restricted(found.image!, kept(found.a!)), restricted(found.text!, kept(found.b!))];
      expect([image.rows, text.rows]).toEqual([patches.rows, tokens.rows]);
      expect([image.sum, text.sum]).toBeAllclose([patches.sum, tokens.sum], PRINTED);
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
