/** CLIP's sizes, names and files; its numbers are in test/golden/clip.test.ts. */
import { describe, expect, it } from "vitest";
import { initialTensor, type ParamSpec } from "../../nn/index.ts";
import { size, type Tensor } from "../../tensor/index.ts";
import { compareWeights, families, familyOfWeights, transposed } from "../index.ts";
import {
  clipConfig,
  clipConfigJson,
  clipFamily,
  clipLayouts,
  clipParameters,
  clipVariants,
  fromClipConfigJson,
  inferClipConfig,
} from "./index.ts";

const layers = { hiddenSize: 64, layers: 1, heads: 1, intermediateSize: 256 };
const text = { ...layers, vocabSize: 30, maxPositions: 9 };
const vit = clipConfig({ image: { ...layers, imageSize: 32, patchSize: 8 }, text, projectionDim: 12 });
const resnet = clipConfig({
  image: { tower: "resnet", width: 4, heads: 2, imageSize: 64, blocks: [1, 2, 1, 1] },
  text,
  projectionDim: 12,
});

const count = (specs: readonly ParamSpec[], kept = (_: ParamSpec) => true): number =>
  specs.filter(kept).reduce((n, { shape }) => n + size(shape), 0);

const bytes = ({ data }: Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** A file whose tensors have OpenAI's names. */
function openaiFile(specs: readonly ParamSpec[], extra: Record<string, Tensor> = {}) {
  const tensors = new Map<string, Tensor>();
  const parts = new Map<string, Tensor[]>();
  for (const spec of specs) {
    const { name, part: [index, of] = [0, 1], transposed: turned } = clipLayouts["openai-clip"].target(spec.name)!;
    const t = initialTensor(spec, 5);
    parts.set(name, (parts.get(name) ?? new Array(of)).with(index, turned ? transposed(t) : t));
  }
  for (const [name, list] of parts) {
    const data = Float32Array.from(list.flatMap((t) => Array.from(t.data as Float32Array)));
    const [rows, ...rest] = list[0]!.shape;
    tensors.set(name, { dtype: "float32", shape: rows === undefined ? [] : [rows * list.length, ...rest], data });
  }
  for (const [name, t] of Object.entries(extra)) tensors.set(name, t);
  return { name: "clip.pt", tensors, read: async (name: string) => tensors.get(name)! };
}

describe("published sizes", () => {
  // OpenAI's README gives B/32's; the reference measured the three ViTs.
  it.each([
    ["clip-vit-b-32", 151_277_313],
    ["base", 149_620_737],
    ["clip-vit-l-14", 427_616_513],
    ["clip-rn50", 102_007_137],
  ])("%s has %i parameters", (name, expected) => {
    expect(count(clipParameters(clipVariants[name]!), ({ buffer }) => !buffer)).toBe(expected);
  });
});

describe("config.json", () => {
  it.each(Object.entries(clipVariants))("of %s comes back as it was written", (_, config) => {
    expect(fromClipConfigJson(clipConfigJson(config))).toEqual(config);
  });
  it("says a ViT in their words alone, and more where they have none", () => {
    expect(clipConfigJson(clipVariants.base!)).not.toHaveProperty("flava_options");
    expect(clipConfigJson(resnet)).toHaveProperty("flava_options");
    expect(clipConfigJson(clipVariants.base!)).toMatchObject({
      text_config: { eos_token_id: 2, hidden_act: "quick_gelu" },
    });
  });
  it("of the published repositories is read: patches of 32, the largest id as the end", () => {
    const config = fromClipConfigJson({ model_type: "clip", text_config: { eos_token_id: 2 }, vision_config: {} });
    expect(config).toEqual(clipVariants["clip-vit-b-32"]);
    const vision = { model_type: "clip_vision_model", hidden_size: 128, num_attention_heads: 2, hidden_act: "gelu" };
    expect(() => fromClipConfigJson({ ...vision, hidden_act: "relu" })).toThrow(/hidden_act: expected quick_gelu or/);
    expect(fromClipConfigJson(vision)).toMatchObject({ image: { hiddenSize: 128 }, activation: "gelu" });
    const notes: string[] = [];
    fromClipConfigJson({ text_config: { attention_dropout: 0.1 } }, { note: (line) => notes.push(line) });
    expect(notes).toEqual(["text_config: attention_dropout 0.1 is left out: there is no dropout here"]);
  });
  it("of towers with different activations is read, and comes back", () => {
    const config = fromClipConfigJson({ model_type: "clip", text_config: { hidden_act: "gelu" } });
    expect(config).toMatchObject({ activation: "quickGelu", textActivation: "gelu" });
    expect(fromClipConfigJson(clipConfigJson(config))).toEqual(config);
    expect(clipConfigJson(config)).not.toHaveProperty("flava_options");
  });
});

describe("open_clip_config.json", () => {
  const base = { embed_dim: 20, vision_cfg: { layers: 2, width: 96, head_width: 32, patch_size: 7, image_size: 35 } };
  const model = {
    ...base,
    text_cfg: { context_length: 9, vocab_size: 61, width: 48, heads: 3, layers: 2, mlp_ratio: 3 },
  };
  const read = (model_cfg: object) => fromClipConfigJson({ model_cfg, preprocess_cfg: {} });
  it("says heads, widths and the activation", () => {
    expect(families.clip.isConfig({ model_cfg: model })).toBe(true);
    expect(read(model)).toMatchObject({
      image: { tower: "vit", heads: 3, intermediateSize: 384, imageSize: 35, patchSize: 7 },
      text: { heads: 3, intermediateSize: 144, vocabSize: 61, maxPositions: 9, endTokenId: null },
      ...{ projectionDim: 20, activation: "gelu" },
    });
    expect(read({ ...model, quick_gelu: true }).activation).toBe("quickGelu");
    const vision_cfg = { layers: [1, 2, 1, 1], width: 8, head_width: 32, image_size: [64, 64], patch_size: null };
    expect(read({ ...model, vision_cfg }).image).toMatchObject({ tower: "resnet", blocks: [1, 2, 1, 1], heads: 8 });
  });
  it.each([
    ["vision_cfg", { timm_model_name: "convnext_base" }, /vision_cfg: timm_model_name: expected none, got "convnext/],
    ["text_cfg", { hf_model_name: "roberta-base" }, /text_cfg: hf_model_name/],
    ["text_cfg", { no_causal_mask: true }, /no_causal_mask: expected false, got true/],
    ["vision_cfg", { image_size: [32, 64] }, /image_size: expected a square/],
    ["vision_cfg", { width: "wide" }, /width/],
  ] as const)("refuses %s of %j", (part, more, message) => {
    expect(() => read({ ...model, [part]: { ...model[part], ...more } })).toThrow(message);
  });
});

describe.each([
  ["a ViT", vit],
  ["a ResNet", resnet],
])("OpenAI's file of %s", (_, config) => {
  const specs = clipParameters(config);
  it("is found by its names, and gives every tensor as it was", async () => {
    const numbers = { context_length: { dtype: "int32", shape: [], data: Int32Array.of(9) } } as const;
    const { family, named } = familyOfWeights(openaiFile(specs, numbers), undefined);
    expect(family).toBe(families.clip);
    expect(named.layout).toBe("openai-clip");
    expect(compareWeights(specs, named)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    for (const spec of specs) {
      const [found, expected] = [await named.read(spec.name), initialTensor(spec, 5)];
      expect(found.shape, spec.name).toEqual(expected.shape);
      expect(bytes(found).equals(bytes(expected)), spec.name).toBe(true);
    }
    expect([...named.ignored.keys()]).toEqual(["numbers beside the weights"]);
  });
  it("says its sizes by its shapes", () => {
    const { named } = familyOfWeights(openaiFile(specs), undefined);
    const { image, ...rest } = inferClipConfig("clip.pt", named.tensors).config;
    const unread = config.image.tower === "resnet" ? {} : { tower: "vit" };
    expect({ image: { ...image, ...unread }, ...rest }).toEqual(config);
  });
});

describe("a CLIP", () => {
  it("has no matching head, no masked heads and no multimodal encoder", () => {
    const model = clipFamily.of(vit);
    expect([model.pair, model.fusion, model.words, model.masked, model.codebook, model.attention]).toEqual(
      new Array(6).fill(undefined),
    );
  });
  it("of Hugging Face's names keeps them", () => {
    const tensors = new Map(clipParameters(vit).map((spec) => [spec.name, initialTensor(spec, 1)]));
    const file = { name: "model.safetensors", tensors, read: async (name: string) => tensors.get(name)! };
    const { family, named } = familyOfWeights(file, undefined);
    expect([family, named.layout, named.what]).toEqual([families.clip, "huggingface-clip", "CLIPModel"]);
    expect(named.unknown).toEqual([]);
  });
});
