/** SimVLM's sizes, names and files, and what a trained one answers; its numbers are in test/golden/simvlm.test.ts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluate } from "../../../test/golden/run.ts";
import { FlavaModel } from "../../api/index.ts";
import { CheckpointError, ConfigError } from "../../errors.ts";
import { exportOnnx } from "../../export/index.ts";
import { entriesOf, saveSafetensors } from "../../hub/index.ts";
import { initialize } from "../../nn/index.ts";
import { size, toNumbers } from "../../tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../text/index.ts";
import { families, familyOfConfig, familyOfWeights } from "../index.ts";
import {
  fromSimvlmConfigJson,
  inferSimvlmConfig,
  simvlmConfig,
  simvlmConfigJson,
  simvlmFamily,
  simvlmParameters,
  simvlmVariants,
} from "./index.ts";

const tokenizer = bertTokenizer([...SPECIAL_TOKENS, "a", "red", "fish"]);
const layers = { hiddenSize: 64, heads: 1, intermediateSize: 32, encoderLayers: 1, decoderLayers: 2 };
const text = { vocabSize: tokenizer.vocabSize, maxPositions: 9 };
const patches = simvlmConfig({
  image: { stem: "patchify", imageSize: 16, patchSize: 8, stemWidth: 8, blocks: [16, 64] },
  ...{ text, ...layers },
});
const resnet = simvlmConfig({ image: { imageSize: 32, stemWidth: 4, stages: [2, 1, 1] }, ...{ text, ...layers } });

describe("a SimVLM's files", () => {
  it.each(Object.entries(simvlmVariants))("the config.json of %s comes back as it was written", (_, config) => {
    const json = JSON.parse(JSON.stringify(simvlmConfigJson(config)));
    expect(fromSimvlmConfigJson(json)).toEqual(config);
    expect(familyOfConfig(json)).toBe(families.simvlm);
  });
  it("a config.json without sizes is refused", () => {
    expect(() => fromSimvlmConfigJson({ model_type: "simvlm" })).toThrow(ConfigError);
  });
  it.each([
    ["squares of pixels", patches],
    ["a ResNet", resnet],
  ])("weights behind %s are known by their names and say their sizes", (_, config) => {
    const tensors = new Map(
      simvlmParameters(config).map(({ name, shape }) => [name, { dtype: "float32" as const, shape }]),
    );
    const file = { name: "model.safetensors", tensors, read: () => Promise.reject(new Error("not read")) };
    const { family, named } = familyOfWeights(file, undefined);
    expect(family).toBe(families.simvlm);
    expect(named.unknown).toEqual([]);
    const { image, ...rest } = inferSimvlmConfig("x", named.tensors).config;
    const { blocks, stages, patchSize, ...same } = config.image;
    expect({ ...rest, image }).toMatchObject({ ...config, image: same });
    expect(config.image.stem === "resnet" ? image.stages : image.blocks).toEqual(
      config.image.stem === "resnet" ? stages : blocks,
    );
  });
  it("base has as many numbers as ResNet-101's stages, 24 layers and a vocabulary", () => {
    const count = simvlmParameters(simvlmVariants.base!)
      .filter(({ buffer }) => !buffer)
      .reduce((n, { shape }) => n + size(shape), 0);
    const D = 768;
    const self = 4 * (D * D + D) + 2 * D;
    const feed = 2 * D * 4 * D + 5 * D + 2 * D;
    const transformer = 12 * (self + feed) + 12 * (2 * self + feed) + 2 * 2 * D;
    const words = 32_000 * D + 2 * 256 * D + 196 * D;
    const stem = 44_549_160 - 14_964_736 - 2_049_000; // torchvision's ResNet-101 without layer4 and fc
    expect(count).toBe(stem + (1024 * D + D) + transformer + words);
  });
});

describe("a trained SimVLM", () => {
  let folder: string;
  let model: FlavaModel;
  const picture = (value: number) => ({ width: 16, height: 16, channels: 3, data: new Uint8Array(768).fill(value) });
  const weights = initialize(simvlmParameters(patches), 3);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "simvlm-"));
    await writeFile(join(folder, "config.json"), JSON.stringify(simvlmConfigJson(patches)));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
    await saveSafetensors(join(folder, "model.safetensors"), entriesOf(weights));
    model = await FlavaModel.fromPretrained(folder, { threads: 1 });
  });
  afterAll(async () => {
    model?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it("says how likely a caption is beside a picture, whatever stands with it", async () => {
    const texts = ["a red fish", "red", "a red fish"];
    const asked = { outputs: ["caption_log_likelihood"] } as const;
    const together = await model.encodePair([picture(0), picture(200), picture(0)], texts, asked);
    const [first, second, third] = toNumbers(together.caption_log_likelihood);
    const alone = await model.encodePair([picture(200)], ["red"], asked);
    expect(toNumbers(alone.caption_log_likelihood)[0]).toBeCloseTo(second!, 5);
    expect(third).toBeCloseTo(first!, 6);
  });
  it("computes the likelihood by its logits", () => {
    const sizes = { batch: 2, textLength: 5 };
    const { graph } = simvlmFamily.of(patches).pair!(sizes);
    const ids = [2, 5, 6, 3, 0, 2, 7, 3, 0, 0]; // [CLS] … [SEP] and padding
    const feeds = {
      pixel_values: {
        dtype: "float32",
        shape: [2, 3, 16, 16],
        data: Float32Array.from({ length: 1536 }, (_, i) => Math.sin(i)),
      },
      input_ids: { dtype: "int32", shape: [2, 5], data: Int32Array.from(ids) },
      attention_mask: { dtype: "int32", shape: [2, 5], data: Int32Array.from(ids, (id) => (id === 0 ? 0 : 1)) },
    } as const;
    const found = evaluate(graph.outputs, { ...feeds, ...weights });
    const [logits, V] = [toNumbers(found.caption_logits!), text.vocabSize];
    const logP = (row: number, id: number): number => {
      const x = logits.slice(row * V, (row + 1) * V);
      return x[id]! - Math.log(x.reduce((sum, l) => sum + Math.exp(l), 0));
    };
    const [one, two] = toNumbers(found.caption_log_likelihood!);
    expect(one).toBeCloseTo((logP(0, 5) + logP(1, 6) + logP(2, 3)) / 3, 6);
    expect(two).toBeCloseTo((logP(5, 7) + logP(6, 3)) / 2, 6);
  });
  it("embeds pictures and texts by the means of their states", async () => {
    const { pooler_output } = await model.encodeImage([picture(9)], { outputs: ["pooler_output"] });
    expect(pooler_output.shape).toEqual([1, 64]);
    const texts = await model.encodeText(["red", "a red fish"], { outputs: ["pooler_output"] });
    const one = await model.encodeText(["red"], { outputs: ["pooler_output"] });
    for (const [i, x] of toNumbers(one.pooler_output).entries())
      expect(toNumbers(texts.pooler_output)[i]).toBeCloseTo(x, 5);
  });
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(folder, join(folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(["image", "text", "multimodal", "full"]);
    for (const { output, max, size: range } of files.flatMap(({ parity }) => parity))
      expect(max / range, output).toBeLessThan(1e-4);
  });
  it("says why it has no contrastive space and no matching head", async () => {
    await expect(model.match([picture(1)], ["red"])).rejects.toThrow(/no matching head/);
    const embeds = model.similarity([picture(1)], ["red"]);
    await expect(embeds).rejects.toThrow(CheckpointError);
    await expect(embeds).rejects.toThrow(/no contrastive space/);
  });
});
