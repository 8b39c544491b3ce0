/** ViLT's sizes, names and files; its numbers are in test/golden/vilt.test.ts. */
import { describe, expect, it } from "vitest";
import published from "../../../test/golden/vilt-base-parameters.json" with { type: "json" };
import { graph, input, interpret } from "../../graph/index.ts";
import { initialTensor } from "../../nn/index.ts";
import { fromNumbers, size, type Tensor, toNumbers } from "../../tensor/index.ts";
import { compareWeights, families, familyOfWeights } from "../index.ts";
import {
  fromViltConfigJson,
  inferViltConfig,
  shuffledPictures,
  viltConfig,
  viltConfigJson,
  viltFamily,
  viltLayouts,
  viltParameters,
  viltVariants,
} from "./index.ts";

const small = viltConfig({
  ...{ hiddenSize: 64, layers: 2, heads: 1, intermediateSize: 96 },
  image: { imageSize: 32, patchSize: 8 },
  text: { vocabSize: 30, maxPositions: 9 },
});
const specs = viltParameters(small);

/** A file whose tensors have the authors' names; `rename` is what wraps them. */
function originalFile(rename = (name: string) => name, extra: Record<string, Tensor> = {}) {
  const parts = new Map<string, Tensor[]>();
  for (const spec of specs) {
    const { name, part: [index, of] = [0, 1] } = viltLayouts.vilt.target(spec.name)!;
    parts.set(name, (parts.get(name) ?? new Array(of)).with(index, initialTensor(spec, 5)));
  }
  const tensors = new Map<string, Tensor>(Object.entries(extra));
  for (const [name, list] of parts) {
    const data = Float32Array.from(list.flatMap((t) => Array.from(t.data as Float32Array)));
    const [rows, ...rest] = list[0]!.shape;
    tensors.set(rename(name), { dtype: "float32", shape: [rows! * list.length, ...rest], data });
  }
  return { name: "vilt.ckpt", tensors, read: async (name: string) => tensors.get(name)! };
}

function fileOf(names: (name: string) => string | undefined) {
  const tensors = new Map(
    specs.flatMap((spec) => {
      const name = names(spec.name);
      return name === undefined ? [] : [[name, initialTensor(spec, 1)] as const];
    }),
  );
  return { name: "model.safetensors", tensors, read: async (name: string) => tensors.get(name)! };
}

describe("the published size", () => {
  it("has the committed list of tensors: 112,217,658 parameters with a tied decoder", () => {
    const tied = viltParameters({ ...viltVariants.base!, tiedDecoder: true });
    const head = 2 * 768 + 2; // of matching, which Hugging Face's class for masked words lacks
    expect(tied.reduce((n, { shape }) => n + size(shape), 0)).toBe(112_217_658 + head);
    const base = Object.fromEntries(viltParameters(viltVariants.base!).map(({ name, shape }) => [name, shape]));
    expect(base).toEqual(published);
  });
});

describe("config.json", () => {
  it.each(Object.entries({ ...viltVariants, small }))("of %s comes back as it was written", (_, config) => {
    expect(fromViltConfigJson(viltConfigJson(config))).toEqual(config);
  });
  it("says in Hugging Face's words alone what these can say: one epsilon for all norms", () => {
    const theirs = { ...viltVariants.base!, layerNormEps: 1e-12 };
    expect(viltConfigJson(theirs)).not.toHaveProperty("flava_options");
    expect(viltConfigJson(viltVariants.base!)).toHaveProperty("flava_options");
  });
  it("of a published repository is read, and what is not computed here is refused", () => {
    const theirs = { ...viltVariants.base!, layerNormEps: 1e-12, tiedDecoder: true };
    expect(fromViltConfigJson({ model_type: "vilt" })).toEqual(theirs);
    expect(fromViltConfigJson({ tie_word_embeddings: false }).tiedDecoder).toBe(false);
    const ranking = { model_type: "vilt", architectures: ["ViltForImageAndTextRetrieval"] };
    expect(fromViltConfigJson(ranking).matchingHead).toBe("rank");
    expect(() => fromViltConfigJson({ hidden_act: "relu" })).toThrow(/hidden_act: expected gelu, got relu/);
    const notes: string[] = [];
    fromViltConfigJson({ hidden_dropout_prob: 0.1 }, { note: (line) => notes.push(line) });
    expect(notes).toEqual(["config.json: hidden_dropout_prob 0.1 is left out: there is no dropout here"]);
  });
});

describe("a file of the authors'", () => {
  it("is found by its names, and gives every tensor as it was", async () => {
    const head = { dtype: "float32", shape: [2], data: new Float32Array(2) } as const;
    const file = originalFile(undefined, { "vqa_classifier.0.bias": head, "text_embeddings.position_ids": head });
    const { family, named } = familyOfWeights(file, undefined);
    expect([family, named.layout]).toEqual([families.vilt, "vilt"]);
    expect(compareWeights(specs, named)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    for (const spec of specs) {
      const [found, expected] = [await named.read(spec.name), initialTensor(spec, 5)];
      expect(found.shape, spec.name).toEqual(expected.shape);
      expect(toNumbers(found), spec.name).toEqual(toNumbers(expected));
    }
    expect([...named.ignored.keys()].sort()).toEqual(["counting buffers", "heads of tasks"]);
  });
  it("says its sizes by its shapes", () => {
    const { named } = familyOfWeights(originalFile(), undefined);
    const { config, assumed } = inferViltConfig("vilt.ckpt", named.tensors, viltLayouts.vilt.switches);
    expect(config).toEqual(small);
    expect(assumed).toContain("an epsilon of 0.000001 in the transformer's norms, which no shape says");
  });
  it("of a ViT alone gives what it has", () => {
    const kept = originalFile((name) => name.replace(/^transformer\./, ""));
    for (const name of kept.tensors.keys())
      if (!/^(blocks|patch_embed|norm|cls_token|pos_embed)/.test(name)) kept.tensors.delete(name);
    const naming = viltLayouts["vilt-vit"].recognise(kept.tensors)!;
    expect(naming.what).toBe("a ViT");
    expect(familyOfWeights(kept, undefined).family).not.toBe(families.vilt);
    expect(naming.place("blocks.1.attn.qkv.bias")).toEqual({
      split: ["query", "key", "value"].map((part) => `vilt.encoder.layer.1.attention.attention.${part}.bias`),
    });
    const lacking = specs.filter(({ name }) => name.startsWith("vilt.") && !viltFamily.mayLack(name));
    const given = new Set([...kept.tensors.keys()].flatMap((name) => placed(naming.place(name))));
    for (const { name } of lacking) expect(given).toContain(name);
  });
});

const placed = (place: ReturnType<NonNullable<ReturnType<typeof viltLayouts.vilt.recognise>>["place"]>): string[] =>
  place === undefined || "ignored" in place ? [] : "to" in place ? [place.to] : [...place.split];

describe("a file of Hugging Face's", () => {
  it.each([
    ["ViLT", (name: string) => name],
    ["ViltModel", (name: string) => /^vilt\.(.*)/.exec(name)?.[1]],
  ])("of %s keeps its names", (what, names) => {
    const { family, named } = familyOfWeights(fileOf(names), undefined);
    expect([family, named.layout, named.what]).toEqual([families.vilt, "huggingface-vilt", what]);
    expect([...named.tensors.keys()]).toContain("vilt.encoder.layer.1.layernorm_before.weight");
    expect(inferViltConfig("x", named.tensors).config).toEqual(small);
  });
});

describe("pictures in another order", () => {
  const words = [1, 5, 2, 1, 6, 2, 1, 5, 2, 1, 5, 2, 1, 8, 2];
  const shuffled = (kept: number[]) => {
    const B = kept.length;
    const found = shuffledPictures(input("ids", [B, 3], "int32"), input("kept", [B], "int32"));
    const fed = { ids: fromNumbers(words.slice(0, 3 * B), [B, 3], "int32"), kept: fromNumbers(kept, [B], "int32") };
    const { picture, matched } = interpret(graph("shuffled", { ...found }), fed);
    return [toNumbers(picture!), toNumbers(matched!)];
  };
  it("are a neighbour's, and match where the words are the same", () => {
    expect(shuffled([1, 1, 1, 1])).toEqual([
      [0, 1, 2, 3],
      [1, 1, 1, 1],
    ]);
    expect(shuffled([0, 0, 0, 1])).toEqual([
      [1, 0, 3, 3],
      [0, 0, 1, 1],
    ]);
  });
  it("are the one's before for the last of an odd number, and its own where it is alone", () => {
    expect(shuffled([1, 0, 1, 1, 0])).toEqual([
      [0, 0, 2, 3, 3],
      [1, 0, 1, 1, 0],
    ]);
    expect(shuffled([0])).toEqual([[0], [1]]);
  });
});

describe("a ViLT", () => {
  it("has no contrastive space, and says why", () => {
    const model = viltFamily.of(small);
    expect(model.logitScale).toBeUndefined();
    expect(model.words!("text", 3)).toBeUndefined();
    expect(model.lacks!.image_embeds).toMatch(/no contrastive space.*match\(\)/);
  });
  it("gives the same of pairs at once and in two steps", () => {
    const model = viltFamily.of(small);
    const weights = Object.fromEntries(specs.map((spec) => [spec.name, initialTensor(spec, 2)]));
    const sizes = { batch: 2, textLength: 5 };
    const fed: Record<string, Tensor> = {
      pixel_values: fromNumbers(
        Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i)),
        [2, 3, 32, 32],
      ),
      input_ids: fromNumbers([1, 4, 5, 2, 0, 1, 6, 2, 0, 0], [2, 5], "int32"),
      attention_mask: fromNumbers([1, 1, 1, 1, 0, 1, 1, 1, 0, 0], [2, 5], "int32"),
    };
    const run = (of: { graph: Parameters<typeof interpret>[0] } | undefined, feeds: Record<string, Tensor>) => {
      const all: Record<string, Tensor> = { ...weights, ...feeds };
      return interpret(of!.graph, Object.fromEntries(Object.keys(of!.graph.inputs).map((name) => [name, all[name]!])));
    };
    const whole = run(model.pair!(sizes), fed);
    const apart = { ...fed, ...run(model.image!(sizes), fed), ...run(model.text!(sizes), fed) };
    const joined = run(model.fusion!(sizes), apart);
    for (const name of ["itm_logits", "multimodal_embeddings", "pooler_output"])
      expect(toNumbers(joined[name]!), name).toEqual(toNumbers(whole[name]!));
    expect(whole.multimodal_embeddings!.shape).toEqual([2, 17 + 5, 64]);
    expect(run(model.attention!(sizes), fed).maps!.shape).toEqual([2, 5, 16]);
  });
  it("has score matrices, the picture first, of which its attention is the softmax", () => {
    const sizes = { batch: 1, textLength: 3, attentions: true };
    const { graph: g } = viltFamily.of(small).pair!(sizes);
    const fed: Record<string, Tensor> = {
      ...Object.fromEntries(specs.map((spec) => [spec.name, initialTensor(spec, 2)])),
      pixel_values: fromNumbers(
        Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.cos(i)),
        [1, 3, 32, 32],
      ),
      input_ids: fromNumbers([1, 4, 2], [1, 3], "int32"),
      attention_mask: fromNumbers([1, 1, 1], [1, 3], "int32"),
    };
    const found = interpret(g, Object.fromEntries(Object.keys(g.inputs).map((name) => [name, fed[name]!])));
    const [scores, shares] = [found["multimodal_scores.1"]!, found["multimodal_attentions.1"]!];
    const [T, M] = [3, shares.shape[3]!];
    expect(scores.shape).toEqual(shares.shape);
    const first = Array.from({ length: M }, (_, c) => Math.exp(toNumbers(scores)[c]!)); // the first head on the picture's CLS
    const sum = first.reduce((a, b) => a + b);
    const row = toNumbers(shares).slice(T * M, T * M + M); // there the text comes first
    for (const [c, e] of [...first.slice(M - T), ...first.slice(0, M - T)].entries())
      expect(row[c]).toBeCloseTo(e / sum, 10);
  });
});
