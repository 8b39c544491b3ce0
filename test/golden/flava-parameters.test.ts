/** Names, shapes and numbers of parameters against the published checkpoint's. */
import { type ConfigJson, huggingFaceJson } from "../../src/models/index.ts";
import { describe, expect, it } from "vitest";
import {
  type FlavaConfig,
  flavaConfig,
  flavaParameters,
  fromHuggingFaceConfig,
  isCodebookParameter,
  isModelParameter,
  toHuggingFaceConfig,
  variants,
} from "../../src/models/flava/index.ts";
import { initialTensor, type ParamSpec } from "../../src/nn/index.ts";
import { size } from "../../src/tensor/index.ts";
import published from "./flava-base-parameters.json" with { type: "json" };

const count = (specs: readonly ParamSpec[]): number => specs.reduce((n, { shape }) => n + size(shape), 0);

describe("the base model", () => {
  const specs = flavaParameters(variants.base);
  it("has the 618 tensors of the published checkpoint, of the same shapes, counting shared ones under both names", () => {
    const found: Record<string, readonly number[]> = {};
    for (const { name, aliases, shape } of specs) for (const each of [name, ...aliases]) found[each] = shape;
    expect(Object.keys(found).length).toBe(618);
    expect(found).toEqual(published);
  });
  it("has 357,645,303 parameters with heads and codebook, 241,356,289 without", () => {
    expect(count(specs)).toBe(357_645_303);
    expect(count(specs.filter(({ name }) => isModelParameter(name)))).toBe(241_356_289);
    expect(count(specs.filter(({ name }) => isCodebookParameter(name)))).toBe(53_786_240);
  });
  it("has the published parts", () => {
    const of = (prefix: string) => count(specs.filter(({ name }) => name.startsWith(prefix)));
    expect(of("flava.image_model.")).toBe(86_390_016);
    expect(of("flava.text_model.")).toBe(109_483_776);
    expect(of("flava.multimodal_model.")).toBe(43_120_128);
    for (const head of ["mim_head.", "mmm_image_head."]) expect(of(head)).toBe(6_891_776);
    for (const head of ["mlm_head.", "mmm_text_head."]) expect(of(head)).toBe(24_063_546);
    expect(of("itm_head.")).toBe(592_130);
  });
  it("records the second name of the heads' shared biases", () => {
    const shared = specs.filter(({ aliases }) => aliases.length > 0);
    expect(Object.fromEntries(shared.map(({ name, aliases }) => [name, aliases]))).toEqual({
      "mim_head.bias": ["mim_head.decoder.bias"],
      "mlm_head.bias": ["mlm_head.decoder.bias"],
      "mmm_image_head.bias": ["mmm_image_head.decoder.bias"],
      "mmm_text_head.bias": ["mmm_text_head.decoder.bias"],
    });
  });
});

describe("the tiny model", () => {
  it("has 60,275 parameters: 17,221 in the core, 39,356 in the codebook, the rest in heads", () => {
    const specs = flavaParameters(variants.tiny);
    expect(count(specs)).toBe(60_275);
    expect(count(specs.filter(({ name }) => isModelParameter(name)))).toBe(17_221);
    expect(count(specs.filter(({ name }) => isCodebookParameter(name)))).toBe(39_356);
  });
  it("starts as the paper's codebases start", () => {
    const tensors = Object.fromEntries(
      flavaParameters(variants.tiny).map((spec) => [spec.name, { spec, values: [...initialTensor(spec, 7).data] }]),
    );
    const all = (name: string, value: number) =>
      expect(
        tensors[name]!.values.every((x) => x === Math.fround(value)),
        name,
      ).toBe(true);
    for (const token of [
      "image_model.embeddings.cls_token",
      "image_model.embeddings.mask_token",
      "multimodal_model.cls_token",
    ])
      all(`flava.${token}`, 0);
    all("flava.image_model.embeddings.position_embeddings", 0);
    all("flava.logit_scale", 2.6592);
    for (const [name, { values, spec }] of Object.entries(tensors)) {
      if (name.endsWith("bias")) all(name, 0);
      else if (/layernorm[^.]*\.weight$/i.test(name)) all(name, 1);
      else if (values.length > 200) {
        const std = name.startsWith("image_codebook.") ? size(spec.shape.slice(1)) ** -0.5 : 0.02;
        const found = Math.sqrt(values.reduce((s, x) => s + x * x, 0) / values.length);
        if (!/position_embeddings$/.test(name)) expect(Math.abs(found / std - 1), name).toBeLessThan(0.2);
      }
    }
    const words = tensors["flava.text_model.embeddings.word_embeddings.weight"]!.values;
    expect(words.slice(0, 16)).toEqual(new Array(16).fill(0));
    expect(words[16]).not.toBe(0);
  });
});

describe("config.json", () => {
  it("of the published model gives the base variant", () => {
    const encoder = {
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      hidden_act: "gelu",
      hidden_dropout_prob: 0.0,
      attention_probs_dropout_prob: 0.0,
      initializer_range: 0.02,
      layer_norm_eps: 1e-12,
      qkv_bias: true,
      output_attentions: false,
    };
    const json = {
      architectures: ["FlavaForPreTraining"],
      model_type: "flava",
      hidden_size: 768,
      projection_dim: 768,
      logit_scale_init_value: 2.6592,
      initializer_factor: 1.0,
      ce_ignore_index: -100,
      mim_weight: 1.0,
      global_backprop_contrastive: true,
      init_codebook: true,
      text_config_dict: null,
      image_config_dict: null,
      multimodal_config_dict: null,
      image_codebook_config_dict: null,
      text_config: { ...encoder, vocab_size: 30522, type_vocab_size: 2, max_position_embeddings: 512, pad_token_id: 0 },
      image_config: {
        ...encoder,
        image_size: 224,
        patch_size: 16,
        num_channels: 3,
        mask_token: true,
        vocab_size: 8192,
      },
      multimodal_config: { ...encoder, num_hidden_layers: 6, use_cls_token: true },
      image_codebook_config: {
        num_groups: 4,
        input_channels: 3,
        num_blocks_per_group: 2,
        hidden_size: 256,
        vocab_size: 8192,
        freeze: true,
      },
    };
    expect(fromHuggingFaceConfig(json)).toEqual(variants.base);
    expect(fromHuggingFaceConfig({})).toEqual(variants.base);
  });
  it("comes back from what is written, for every variant and switch", () => {
    const written = (config: FlavaConfig): ConfigJson => JSON.parse(huggingFaceJson(toHuggingFaceConfig(config)));
    for (const config of Object.values(variants)) expect(fromHuggingFaceConfig(written(config))).toEqual(config);
    const other = flavaConfig({
      codebook: { groups: 3 },
      contrastiveGather: "local",
      textPadMask: "ids",
      multimodalPadMask: false,
      headLayerNormEps: 1e-5,
      logitScaleRange: [0, 5],
      multimodal: { clsToken: false },
    });
    expect(fromHuggingFaceConfig(written(other))).toEqual(other);
  });
  it("lets older *_config_dict keys win, as the reference does", () => {
    const config = fromHuggingFaceConfig({ text_config: { vocab_size: 50 }, text_config_dict: { vocab_size: 60 } });
    expect(config.text.vocabSize).toBe(60);
  });
  it("says that no padding id is read as 0", () => {
    const notes: string[] = [];
    const config = fromHuggingFaceConfig({ text_config: { pad_token_id: null } }, { note: (line) => notes.push(line) });
    expect(config.text.padTokenId).toBe(0);
    expect(notes).toEqual([expect.stringMatching(/pad_token_id is null, which is read as 0/)]);
  });
  it("of something else is refused with the key that is wrong", () => {
    expect(() => fromHuggingFaceConfig({ model_type: "clip" })).toThrow(/model_type/);
    expect(() => fromHuggingFaceConfig({ image_config: { hidden_act: "relu" } })).toThrow(/image_config: hidden_act/);
    expect(() => fromHuggingFaceConfig({ text_config: { hidden_dropout_prob: 0.1 } })).toThrow(/text_config.*dropout/);
    expect(() => fromHuggingFaceConfig({ text_config: { position_embedding_type: "relative_key" } })).toThrow(
      /position_embedding_type: expected "absolute"/,
    );
    expect(() => fromHuggingFaceConfig({ hidden_size: 512 })).toThrow(/hidden_size: expected .* 768, got 512/);
    expect(() => flavaConfig({ image: { heads: 7 } })).toThrow(/does not divide among 7 heads/);
    expect(() => flavaConfig({ imge: {} } as never)).toThrow(/imge/);
  });
});
