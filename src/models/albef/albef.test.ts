/** ALBEF's sizes, names and files; its numbers are in test/golden/albef.test.ts. */
import { describe, expect, it } from "vitest";
import published from "../../../test/golden/albef-base-parameters.json" with { type: "json" };
import { initialTensor } from "../../nn/index.ts";
import { size, type Tensor, toNumbers } from "../../tensor/index.ts";
import { compareWeights, families, familyOfConfig, familyOfWeights } from "../index.ts";
import { underOurNames } from "../layout.ts";
import {
  albefConfig,
  albefConfigJson,
  albefFamily,
  albefLayouts,
  albefParameters,
  albefVariants,
  fromAlbefConfigJson,
  inferAlbefConfig,
} from "./index.ts";

const layers = { hiddenSize: 64, heads: 1, intermediateSize: 96 };
const small = albefConfig({
  image: { ...layers, layers: 2, imageSize: 32, patchSize: 8 },
  text: { ...layers, layers: 1, fusionLayers: 2, vocabSize: 30, maxPositions: 9 },
  projectionDim: 12,
});
const specs = albefParameters(small);

/** A file of these tensors under other names; a name that is undefined is left out. */
function fileOf(names: (name: string) => string | undefined, extra: readonly string[] = []) {
  const tensors = new Map<string, Tensor>(
    specs.flatMap((spec) => {
      const name = names(spec.name);
      return name === undefined ? [] : [[name, initialTensor(spec, 1)] as const];
    }),
  );
  for (const name of extra) tensors.set(name, { dtype: "float32", shape: [1], data: new Float32Array(1) });
  return { name: "ALBEF.pth", tensors, read: async (name: string) => tensors.get(name)! };
}

describe("the published size", () => {
  it("has the committed list of tensors: 209.9 million parameters, without averages and queues", () => {
    const base = albefParameters(albefVariants.base!);
    expect(Object.fromEntries(base.map(({ name, shape }) => [name, shape]))).toEqual(published);
    const count = (start: string) =>
      base.filter(({ name }) => name.startsWith(start)).reduce((n, { shape }) => n + size(shape), 0);
    // A ViT-B/16 without its classifier has 85,798,656 on 224 pixels; 60 positions more on 256.
    expect(count("visual_encoder.")).toBe(85_798_656 + 60 * 768);
    // BERT base without its pooler, and six layers of cross-attention.
    expect(count("text_encoder.bert.")).toBe(108_891_648 + 6 * (4 * (768 * 768 + 768) + 2 * 768));
    expect(count("text_encoder.cls.")).toBe(768 * 768 + 768 + 2 * 768 + 30_522);
  });
});

describe("config.json", () => {
  it.each(Object.entries({ ...albefVariants, small }))("of %s comes back as it was written", (_, config) => {
    expect(familyOfConfig(albefConfigJson(config))).toBe(families.albef);
    expect(fromAlbefConfigJson(albefConfigJson(config))).toEqual(config);
  });
  it("of the authors' text encoder is read, and says what it does not say", () => {
    const theirs = {
      model_type: "bert",
      num_hidden_layers: 12,
      fusion_layer: 6,
      encoder_width: 768,
      hidden_act: "gelu",
    };
    const notes: string[] = [];
    expect(familyOfConfig(theirs)).toBe(families.albef);
    expect(fromAlbefConfigJson(theirs, { note: (line) => notes.push(line) })).toEqual(albefVariants.base);
    expect(notes[0]).toMatch(/image encoder is taken to be ViT-B\/16/);
    expect(() => fromAlbefConfigJson({ ...theirs, hidden_act: "relu" })).toThrow(/hidden_act: expected gelu/);
    expect(() => fromAlbefConfigJson({ model_type: "albef" })).toThrow(/expected flava_options/);
  });
});

describe("a file of the authors'", () => {
  const extra = ["visual_encoder_m.norm.bias", "text_proj_m.bias", "image_queue", "text_queue", "queue_ptr"];
  it("is found by its names and keeps them; averages and queues are left out, and said so", async () => {
    const { family, named } = familyOfWeights(
      fileOf((name) => name, extra),
      undefined,
    );
    expect([family, named.layout, named.what]).toEqual([families.albef, "albef", "ALBEF"]);
    expect(compareWeights(specs, named)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    expect(Object.fromEntries([...named.ignored].map(([what, names]) => [what, names.length]))).toEqual({
      "averages of its momentum": 2,
      queues: 3,
    });
    expect(inferAlbefConfig("ALBEF.pth", named.tensors).config).toEqual(small);
  });
  it("that was fine-tuned has a BERT without its head", () => {
    const tuned = fileOf(
      (name) =>
        name.startsWith("text_encoder.cls.") ? undefined : name.replace("text_encoder.bert.", "text_encoder."),
      ["idx_queue", "text_encoder.embeddings.position_ids", "text_decoder.bert.encoder.layer.0.x"],
    );
    const { named } = familyOfWeights(tuned, undefined);
    const { missing, unexpected } = compareWeights(specs, named);
    expect(missing.every((name) => name.startsWith("text_encoder.cls."))).toBe(true);
    expect(unexpected).toEqual([]);
    expect(inferAlbefConfig("ALBEF.pth", named.tensors).config).toEqual(small);
  });
});

describe("what a run starts from", () => {
  it("DeiT and BERT give the tensors that they have, and are no ALBEF by themselves", async () => {
    const deit = fileOf((name) => /^visual_encoder\.(.*)/.exec(name)?.[1], ["head.weight"]);
    const bert = fileOf(
      (name) =>
        /crossattention/.test(name)
          ? undefined
          : /^text_encoder\.(.*)/.exec(name)?.[1]?.replace(/LayerNorm\.weight$/, "LayerNorm.gamma"),
      ["cls.seq_relationship.bias", "bert.pooler.dense.bias", "cls.predictions.decoder.weight"],
    );
    expect(familyOfWeights(deit, undefined).family).not.toBe(families.albef);
    expect(() => familyOfWeights(bert, undefined)).toThrow(/expected tensors named as in/);
    for (const [file, needed] of [
      [deit, albefFamily.parts.image!.needed],
      [bert, albefFamily.parts.text!.needed],
    ] as const) {
      const named = underOurNames(file, albefLayouts);
      const wanted = specs.filter(({ name }) => name.startsWith(needed) && !albefFamily.mayLack(name));
      for (const spec of wanted) {
        expect(named.tensors.has(spec.name), spec.name).toBe(true);
        expect(toNumbers(await named.read(spec.name))).toEqual(toNumbers(initialTensor(spec, 1)));
      }
      expect(named.unknown).toEqual([]);
    }
  });
});

describe("an ALBEF", () => {
  it("divides cosines by its temperature, and predicts words beside a picture alone", () => {
    const model = albefFamily.of(small);
    expect(model.logitScale).toMatchObject({ name: "temp", form: "temperature" });
    expect(model.words!("text", 3)).toBeUndefined();
    expect(model.words!("pair", 3)!.graph.outputs.logits!.shape).toEqual([3, 30]);
    expect(model.attention!({ batch: 2, textLength: 5 }).graph.outputs.maps!.shape).toEqual([2, 5, 16]);
  });
});
