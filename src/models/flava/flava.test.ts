/** Properties of the model that hold whatever its weights: padding, batch order, empty selections, switches, inference graphs. */
import { describe, expect, it } from "vitest";
import { evaluate, total } from "../../../test/golden/run.ts";
import {
  imageCase,
  maskedPatchIndices,
  pairCase,
  textCase,
  tinyBatch,
  tinyConfig,
  tinyParameters,
  tinySizes,
} from "../../../test/golden/tiny-case.ts";
import "../../../test/support/matchers.ts";
import { golden } from "../../../test/golden/numbers.ts";
import { graph, type Value } from "../../graph/index.ts";
import { globalContrastive, type LossWeights } from "../../objectives/index.ts";
import { gradients, sgd } from "../../optim/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../tensor/index.ts";
import { flavaConfig, imageGraph, multimodalGraph, type PairPretraining, textGraph, variants } from "./index.ts";

type Fields = Record<string, Tensor>;
const CLOSE = { rtol: 1e-11, atol: 1e-12 };
const LABELS = [1, 0, 1];

/** The batch with every text longer by some padding. */
function padded(batch: Fields, by: number, filler = 0): Fields {
  const longer = (t: Tensor, value: number): Tensor => {
    const [B, T] = t.shape as [number, number];
    const rows = Array.from({ length: B }, (_, b) => [
      ...toNumbers(t).slice(b * T, (b + 1) * T),
      ...new Array(by).fill(value),
    ]);
    return fromNumbers(rows.flat(), [B, T + by], "int32");
  };
  return {
    ...batch,
    input_ids: longer(batch.input_ids!, filler),
    input_ids_masked: longer(batch.input_ids_masked!, filler),
    attention_mask: longer(batch.attention_mask!, 0),
  };
}

/** The samples of a batch in another order. */
const permuted = (batch: Fields, order: readonly number[]): Fields =>
  Object.fromEntries(
    Object.entries(batch).map(([name, t]) => {
      const width = t.data.length / t.shape[0]!;
      const all = toNumbers(t);
      const rows = order.flatMap((b) => all.slice(b * width, (b + 1) * width));
      return [name, fromNumbers(rows, t.shape, t.dtype as "int32")];
    }),
  );

const shown = (values: PairPretraining): Record<string, Value> => ({
  image: values.unmasked.image.last_hidden_state,
  masked: values.masked.image.last_hidden_state,
  pooled: values.masked.multimodal.pooler_output,
  words: values.words,
  matching: values.itm.logits,
  embeds: values.contrastive.text_embeds,
});

describe("padding", () => {
  for (const [what, overrides] of [
    ["a fed mask", {}],
    ["a mask from the ids", { textPadMask: "ids" }],
  ] as const)
    it(`changes no output and no loss, with ${what}`, () => {
      const config = flavaConfig({ ...tinyConfig, ...overrides });
      const sizes = { ...tinySizes, attentionMask: config.textPadMask === "given" };
      const [short, long] = [pairCase(config, sizes), pairCase(config, { ...sizes, textLength: 10 })];
      const parameters = tinyParameters(short.params.specs());
      const batch = tinyBatch(LABELS);
      const run = (c: typeof short, fields: Fields) =>
        evaluate({ ...shown(c.values), ...c.objective.losses }, { ...fields, ...parameters });
      const [a, b] = [run(short, batch), run(long, padded(batch, 4))];
      for (const name of Object.keys(a)) expect(b[name]!, name).toBeAllclose(a[name]!, CLOSE);
    });
  it("may hold any word, where it is masked", () => {
    const c = pairCase(tinyConfig, { ...tinySizes, textLength: 8 });
    const parameters = tinyParameters(c.params.specs());
    const run = (filler: number) =>
      evaluate(c.objective.losses, { ...padded(tinyBatch(LABELS), 2, filler), ...parameters });
    const [a, b] = [run(0), run(17)];
    for (const name of Object.keys(a)) expect(b[name]!, name).toBeAllclose(a[name]!, CLOSE);
  });
  it("reaches the multimodal states, and only those, where the switch lets it", () => {
    const run = (multimodalPadMask: boolean) => {
      const c = pairCase({ ...tinyConfig, multimodalPadMask });
      return evaluate(c.objective.losses, { ...tinyBatch(LABELS), ...tinyParameters(c.params.specs()) });
    };
    const [hidden, attended] = [run(true), run(false)];
    expect(attended.global_contrastive!).toBeAllclose(hidden.global_contrastive!, CLOSE);
    for (const name of ["itm", "mmm_image", "mmm_text"])
      expect(Math.abs(attended[name]!.data[0]! - hidden[name]!.data[0]!), name).toBeGreaterThan(1e-4);
  });
  it("is attended in the text encoder too without a mask", () => {
    const loss = (textPadMask: "given" | "none") => {
      const c = textCase({ ...tinyConfig, textPadMask });
      return evaluate({ loss: c.objective.loss }, { ...tinyBatch(), ...tinyParameters(c.params.specs()) }).loss!
        .data[0]!;
    };
    expect(Math.abs(loss("given") - loss("none"))).toBeGreaterThan(1e-4);
  });
});

describe("the order of a batch", () => {
  it("permutes outputs and leaves the losses", () => {
    const order = [2, 0, 1];
    const c = pairCase();
    const parameters = tinyParameters(c.params.specs());
    const batch = tinyBatch(LABELS);
    const a = evaluate({ ...shown(c.values), ...c.objective.losses }, { ...batch, ...parameters });
    const b = evaluate({ ...shown(c.values), ...c.objective.losses }, { ...permuted(batch, order), ...parameters });
    for (const name of Object.keys(shown(c.values)))
      expect(b[name]!, name).toBeAllclose(permuted({ x: a[name]! }, order).x!, CLOSE);
    for (const name of Object.keys(c.objective.losses)) expect(b[name]!, name).toBeAllclose(a[name]!, CLOSE);
  });
});

describe("an empty selection", () => {
  const nothing = {
    bool_masked_pos: fromNumbers(new Array(48).fill(0), [3, 16], "bool"),
    mim_position_mask: fromNumbers(new Array(24).fill(0), [3, 8], "bool"),
    mlm_targets: fromNumbers(new Array(9).fill(-100), [3, 3], "int32"),
  };
  for (const [kind, make] of [
    ["images", imageCase],
    ["texts", textCase],
  ] as const)
    it(`of ${kind} gives loss 0 and gradient 0`, () => {
      const c = make();
      const all = gradients(c.objective.loss, c.params.values());
      const found = evaluate(
        { ...all, loss: c.objective.loss, ...c.objective.metrics },
        { ...tinyBatch(), ...nothing, ...tinyParameters(c.params.specs()) },
      );
      expect(Object.keys(all).length).toBeGreaterThan(20);
      for (const [name, t] of Object.entries(found))
        expect(
          t.data.every((x) => x === 0),
          name,
        ).toBe(true);
    });
  it("of pairs leaves matching and contrast, and every gradient finite", () => {
    const c = pairCase();
    const all = gradients(c.objective.loss, c.params.values());
    const found = evaluate(
      { ...all, ...c.objective.losses },
      { ...tinyBatch(LABELS), ...nothing, ...tinyParameters(c.params.specs()) },
    );
    for (const [name, t] of Object.entries(found)) expect(t.data.every(Number.isFinite), name).toBe(true);
    expect([found.mmm_image!.data[0], found.mmm_text!.data[0]]).toEqual([0, 0]);
    expect(found["mmm_image_head.bias"]!.data.every((x) => x === 0)).toBe(true);
    expect(found.itm!.data[0]).toBeGreaterThan(0);
    expect(found.global_contrastive!.data[0]).toBeGreaterThan(0);
  });
});

describe("the weight of a loss", () => {
  const names = (weights: Partial<LossWeights>) => {
    const c = pairCase(tinyConfig, tinySizes, weights);
    return { c, inputs: Object.keys(graph("step", { loss: c.objective.loss }).inputs) };
  };
  it("of 0 leaves out the loss, its head, and what only it needs", () => {
    const { c, inputs } = names({ mmmImage: 0 });
    expect(Object.keys(c.objective.losses)).toEqual(["itm", "mmm_text", "global_contrastive"]);
    expect(inputs.filter((name) => /mmm_image_head|image_codebook|codebook_pixel/.test(name))).toEqual([]);
    expect(inputs).toContain("mmm_text_head.bias");
  });
  it("of 0 for contrast leaves out the unmasked pass", () => {
    const { inputs } = names({ globalContrastive: 0 });
    expect(inputs).not.toContain("input_ids");
    expect(inputs).not.toContain("flava.image_projection.weight");
    expect(inputs).not.toContain("flava.logit_scale");
  });
  it("multiplies the loss", () => {
    const { c } = names({ itm: 3 });
    const found = evaluate(
      { itm: c.objective.losses.itm! },
      { ...tinyBatch(LABELS), ...tinyParameters(c.params.specs()) },
    );
    expect(found.itm!.data).toBeAllclose([3 * 0.5740747773], { atol: 1e-9 });
  });
});

describe("the logit scale", () => {
  it("is clamped before use, keeps its gradient, and moves on from the clamped value", () => {
    const c = pairCase();
    const params = c.params.values();
    const { updates } = sgd(
      params,
      gradients(c.objective.contrastive.loss, { "flava.logit_scale": params["flava.logit_scale"]! }),
    );
    const next = { next: updates["flava.logit_scale"]!, logits: c.objective.contrastive.logits_per_image };
    const run = (scale: number) =>
      evaluate(next, {
        ...tinyBatch(LABELS),
        ...tinyParameters(c.params.specs()),
        "flava.logit_scale": fromNumbers([scale], [], "float64"),
        lr: fromNumbers([0.5], [], "float64"),
      });
    const [above, at] = [run(9), run(4.6052)];
    expect(above.logits!).toBeAllclose(at.logits!, CLOSE);
    expect(above.next!).toBeAllclose(at.next!, CLOSE);
    expect(Math.abs(at.next!.data[0]! - 4.6052)).toBeGreaterThan(1e-3);
    expect(run(-1).next!).toBeAllclose(run(0).next!, CLOSE);
  });
});

describe("fed visual words", () => {
  it("take the place of the codebook", () => {
    const c = imageCase();
    const parameters = tinyParameters(c.params.specs());
    const { words, loss } = evaluate(
      { words: c.values.words, loss: c.objective.loss },
      { ...tinyBatch(), ...parameters },
    );
    const given = imageCase({ ...tinyConfig, codebook: null });
    const mim_labels = fromNumbers(words!.data, [3, 16], "int32");
    const found = evaluate({ loss: given.objective.loss }, { ...tinyBatch(), mim_labels, ...parameters });
    expect(found.loss!).toBeAllclose(loss!, CLOSE);
    expect(given.params.specs().some(({ name }) => name.startsWith("image_codebook"))).toBe(false);
  });
  it("count at masked patches only", () => {
    const given = imageCase({ ...tinyConfig, codebook: null });
    const masked = maskedPatchIndices();
    const labels = (elsewhere: number) =>
      fromNumbers(
        masked.flatMap((chosen) => Array.from({ length: 16 }, (_, i) => (chosen.includes(i) ? i : elsewhere))),
        [3, 16],
        "int32",
      );
    const run = (mim_labels: Tensor) =>
      evaluate({ loss: given.objective.loss }, { ...tinyBatch(), mim_labels, ...tinyParameters(given.params.specs()) })
        .loss!;
    expect(run(labels(3))).toBeAllclose(run(labels(20)), CLOSE);
  });
});

describe("inference graphs", () => {
  const c = pairCase();
  const parameters = tinyParameters(c.params.specs());
  const feeds = { ...tinyBatch(LABELS), ...parameters };
  const expected = evaluate(
    {
      image: c.values.unmasked.image.last_hidden_state,
      text: c.values.unmasked.text.last_hidden_state,
      fused: c.values.unmasked.multimodal!.last_hidden_state,
      images: c.values.contrastive.image_embeds,
      texts: c.values.contrastive.text_embeds,
    },
    feeds,
  );
  it("of images and texts give the unmasked pass of pretraining", () => {
    const image = imageGraph(variants.tiny, { batch: 3 });
    const text = textGraph(variants.tiny, { batch: 3, textLength: 6 });
    const a = evaluate(image.graph.outputs, feeds);
    const b = evaluate(text.graph.outputs, feeds);
    expect(a.image_embeddings!).toBeAllclose(expected.image!, CLOSE);
    expect(a.image_embeds!).toBeAllclose(expected.images!, CLOSE);
    expect(b.text_embeddings!).toBeAllclose(expected.text!, CLOSE);
    expect(b.text_embeds!).toBeAllclose(expected.texts!, CLOSE);
    for (const { name } of image.params) expect(name).toMatch(/^flava\.image_(model|projection|to_mm_projection)\./);
    expect(Object.keys(text.graph.inputs).sort()).toEqual(
      ["attention_mask", "input_ids", ...text.params.map(({ name }) => name)].sort(),
    );
  });
  it("of pairs give fused states, a matching score, and attention maps on demand", () => {
    const pair = multimodalGraph(variants.tiny, { batch: 3, textLength: 6, attentions: true });
    const found = evaluate(pair.graph.outputs, feeds);
    expect(found.multimodal_embeddings!).toBeAllclose(expected.fused!, CLOSE);
    expect(found.itm_logits!.shape).toEqual([3, 2]);
    const map = found["multimodal_attentions.0"]!;
    expect(map.shape).toEqual([3, 2, 24, 24]);
    expect([total(map)]).toBeAllclose([3 * 2 * 24], CLOSE);
    const plain = multimodalGraph(variants.tiny, { batch: 3, textLength: 6 });
    expect(Object.keys(plain.graph.outputs).some((name) => name.startsWith("multimodal_attentions"))).toBe(false);
  });
  it("of images take other sizes when positions may be interpolated", () => {
    const wide = imageGraph(variants.tiny, { batch: 1, height: 40, width: 56, interpolate: "size" });
    const found = evaluate(wide.graph.outputs, { ...parameters, pixel_values: golden("wide", [1, 3, 40, 56], -2, 2) });
    expect(found.image_embeddings!.shape).toEqual([1, 1 + 5 * 7, 16]);
    expect(() => imageGraph(variants.tiny, { batch: 1, height: 40 })).toThrow(/expected 32 × 32 pixels, got 40 × 32/);
    const same = imageGraph(variants.tiny, { batch: 3, interpolate: "dino" });
    expect(evaluate(same.graph.outputs, feeds).image_embeddings!).toBeAllclose(expected.image!, CLOSE);
  });
});

describe("a batch that does not fit the model", () => {
  it("is refused with what is missing", () => {
    expect(() => textCase(tinyConfig, { ...tinySizes, textLength: 13 })).toThrow(/at most 12 tokens, got 13/);
    expect(() => imageCase({ ...tinyConfig, image: { ...tinyConfig.image, maskToken: false } })).toThrow(
      /no mask token/,
    );
    expect(() => globalContrastive(c2, c2, c2, { parts: 2 })).toThrow(/index/);
  });
  const c2 = pairCase().values.contrastive.image_embeds;
});
