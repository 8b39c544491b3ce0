/** ALIGN's sizes, names and files, and a folder of one; its numbers are in test/golden/align.test.ts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import listed from "../../../test/golden/compared/align-base-parameters.json" with { type: "json" };
import { savedTensors } from "../../../test/support/torch-bytes.ts";
import { FlavaModel } from "../../api/index.ts";
import { CheckpointError } from "../../errors.ts";
import { exportOnnx } from "../../export/index.ts";
import { entriesOf, saveSafetensors } from "../../hub/index.ts";
import { initialize, type ParamSpec } from "../../nn/index.ts";
import { size, toNumbers } from "../../tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../text/index.ts";
import { compareWeights, families, familyOfConfig, familyOfWeights } from "../index.ts";
import {
  type AlignConfigInput,
  alignConfig,
  alignConfigJson,
  alignParameters,
  alignVariants,
  fromAlignConfigJson,
  gridOf,
  inferAlignConfig,
} from "./index.ts";

const count = (specs: readonly ParamSpec[]): number => specs.reduce((n, { shape }) => n + size(shape), 0);
const tokenizer = bertTokenizer([...SPECIAL_TOKENS, "a", "cat"]);
const image = alignVariants.tiny!.image;
const text: AlignConfigInput["text"] = {
  ...{ hiddenSize: 64, layers: 1, heads: 1, intermediateSize: 32 },
  ...{ vocabSize: tokenizer.vocabSize, maxPositions: 9 },
};
const small = alignConfig({ image, text });

describe("align-base", () => {
  const specs = alignParameters(alignVariants.base!);
  it("has the published parameters, by name and shape", () => {
    expect(Object.fromEntries(specs.map(({ name, shape }) => [name, shape]))).toEqual(listed);
    const trained = specs.filter(({ buffer }) => !buffer);
    expect(count(trained)).toBe(172_117_841);
    expect(count(trained.filter(({ name }) => name.startsWith("vision_model.")))).toBe(62_143_440);
  });
  it("sees 289 pixels in 9 × 9 places", () => {
    expect(gridOf(alignVariants.base!.image)).toBe(9);
    expect(gridOf({ ...image, depthwisePadding: [1] }, 30)).toBe(4);
  });
});

describe("config.json", () => {
  it.each(Object.entries(alignVariants))("of %s comes back as it was written", (_, config) => {
    const json = JSON.parse(JSON.stringify(alignConfigJson(config)));
    expect(fromAlignConfigJson(json)).toEqual(config);
    expect(familyOfConfig(json)).toBe(families.align);
  });
  it("says the published model in their words alone, and switches beside them", () => {
    expect(alignConfigJson(alignVariants.base!)).not.toHaveProperty("flava_options");
    const own = alignConfig({ labelSmoothing: 0, image: { momentum: 0.1, expansionMomentum: 0.3 } });
    expect(fromAlignConfigJson(JSON.parse(JSON.stringify(alignConfigJson(own))))).toEqual(own);
  });
  it("of the published repository is read: pictures of 289 pixels, though it says 600", () => {
    const notes: string[] = [];
    const json = { model_type: "align", text_config: {}, vision_config: { image_size: 600 } };
    expect(fromAlignConfigJson(json, { note: (line) => notes.push(line) })).toEqual(alignVariants.base);
    expect(notes.join()).toMatch(/289/);
  });
  it("is refused where something else would be computed", () => {
    expect(() => fromAlignConfigJson({ projection_dim: 512 })).toThrow(/projection_dim: expected 640/);
    expect(() => fromAlignConfigJson({ vision_config: { pooling_type: "max" } })).toThrow(/pooling_type/);
    expect(() => alignConfig({ image: { repeats: [1, 2] } })).toThrow(/a number for each of 2 stages/);
  });
});

describe("the text of a config.json", () => {
  it("has floats where transformers takes nothing else, whole as they are", () => {
    const text = families.align.configFile(alignConfig(), { lossWeights: {}, tensors: [] });
    for (const line of ['"width_coefficient": 2.0', '"temperature_init_value": 1.0', '"hidden_size": 768,'])
      expect(text).toContain(line);
    expect(fromAlignConfigJson(JSON.parse(text))).toEqual(alignConfig());
  });
});

describe("weights without a config.json", () => {
  const specs = alignParameters(small);
  const shapes = specs.map(({ name, shape }) => [name, { dtype: "float32" as const, shape }] as const);
  const fileOf = (tensors: typeof shapes) => ({
    name: "align.pt",
    tensors: new Map(tensors),
    read: () => Promise.reject(new Error("not read")),
  });
  it("are known by their names and say their sizes where the tower is a known one", () => {
    const extra = ["num_batches_tracked", "token_type_ids"].map(
      (name) => [`text_model.embeddings.${name}`, { dtype: "float32" as const, shape: [] }] as const,
    );
    const { family, named } = familyOfWeights(fileOf([...shapes, ...extra]), undefined);
    expect(family).toBe(families.align);
    expect(compareWeights(specs, named)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    expect(inferAlignConfig("align.pt", named.tensors).config).toEqual(small);
    const vision = shapes.flatMap(([name, t]) =>
      name.startsWith("vision_model.") ? [[name.slice("vision_model.".length), t] as const] : [],
    );
    expect(familyOfWeights(fileOf(vision), undefined).named.what).toBe("AlignVisionModel");
  });
  it("are refused where no shape says the strides", () => {
    const odd = alignParameters(alignConfig({ image: { ...image, outChannels: [16, 24, 48] }, text }));
    const tensors = new Map(odd.map(({ name, shape }) => [name, { shape }]));
    expect(() => inferAlignConfig("x", tensors)).toThrow(CheckpointError);
  });
});

describe.each(["model.safetensors", "pytorch_model.bin"])("an ALIGN's folder with %s", (file) => {
  let folder: string;
  let model: FlavaModel;
  const picture = (value: number) => ({ width: 40, height: 30, channels: 3, data: new Uint8Array(3600).fill(value) });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "align-"));
    const processor = {
      image_processor_type: "EfficientNetImageProcessor",
      ...{ size: { height: 36, width: 36 }, crop_size: { height: 32, width: 32 }, do_center_crop: true },
      ...{ resample: 2, rescale_factor: 1 / 127.5, rescale_offset: true, do_normalize: false, include_top: false },
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(alignConfigJson(small)));
    await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(processor));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
    const weights = initialize(alignParameters(small), 3);
    if (file.endsWith(".bin")) await writeFile(join(folder, file), await savedTensors(weights));
    else await saveSafetensors(join(folder, file), entriesOf(weights));
    model = await FlavaModel.fromPretrained(folder, { threads: 1 });
  });
  afterAll(async () => {
    model?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(folder, join(folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(["image", "text"]);
    for (const { output, max, size: range } of files.flatMap(({ parity }) => parity))
      expect(max / range, output).toBeLessThan(1e-4);
  });
  it("is embedded with, compares by its temperature, and says that it has no matching head", async () => {
    const { image_embeds } = await model.encodeImage([picture(0), picture(200)], { outputs: ["image_embeds"] });
    expect(image_embeds.shape).toEqual([2, 40]);
    expect(Math.hypot(...toNumbers(image_embeds).slice(0, 40))).toBeCloseTo(1, 5);
    const { similarity, logits_per_image } = await model.similarity([picture(9)], ["a cat", "cat"]);
    expect(toNumbers(logits_per_image)).toEqual(toNumbers(similarity)); // its temperature is 1
    await expect(model.match([picture(1)], ["a cat"])).rejects.toThrow(/no matching head/);
  });
});
