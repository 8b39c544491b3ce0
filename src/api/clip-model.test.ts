/** A CLIP's folder, as Hugging Face writes it, opened and asked like a FLAVA's. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clipTokenizerJson } from "../../test/support/clip-tokenizer.ts";
import { CheckpointError } from "../errors.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { clipConfig, clipConfigJson, clipParameters } from "../models/clip/index.ts";
import { initialize } from "../nn/index.ts";
import { tokenizerFromJson } from "../text/index.ts";
import { FlavaModel } from "./index.ts";

const json = clipTokenizerJson(["c a", "ca t</w>"]);
const layers = { hiddenSize: 16, layers: 1, heads: 2, intermediateSize: 32 };
const config = clipConfig({
  image: { ...layers, imageSize: 16, patchSize: 8 },
  text: { ...layers, maxPositions: 9, vocabSize: tokenizerFromJson(json).vocabSize },
  projectionDim: 6,
});
const picture = (value: number) => ({ width: 30, height: 20, channels: 3, data: new Uint8Array(1800).fill(value) });

describe("a CLIP's folder", () => {
  let folder: string;
  let model: FlavaModel;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clip-"));
    const processor = { feature_extractor_type: "CLIPFeatureExtractor", size: 16, crop_size: 16 };
    await writeFile(join(folder, "config.json"), JSON.stringify(clipConfigJson(config)));
    await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(processor));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));
    await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify({ pad_token: "<|endoftext|>" }));
    await saveSafetensors(join(folder, "model.safetensors"), entriesOf(initialize(clipParameters(config), 3)));
    model = await FlavaModel.fromPretrained(folder, { threads: 1 });
  });
  afterAll(async () => {
    model?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it("embeds pictures and texts of any number, each by itself", async () => {
    const { image_embeds } = await model.encodeImage([picture(0), picture(200), picture(0)]);
    expect(image_embeds.shape).toEqual([3, 6]);
    expect(Math.hypot(...image_embeds.data.slice(0, 6))).toBeCloseTo(1, 5);
    expect(image_embeds.data.slice(0, 6)).toEqual(image_embeds.data.slice(12));
    const { text_embeds } = await model.encodeText(["a cat", "cats and more", "a cat"]);
    const { text_embeds: alone } = await model.encodeText(["a cat"]);
    for (const [i, x] of Array.from(alone.data).entries()) expect(text_embeds.data[i]).toBeCloseTo(Number(x), 5);
    expect(text_embeds.data.slice(0, 6)).toEqual(text_embeds.data.slice(12));
  });
  it("says that it has no matching head", async () => {
    const matching = model.match([picture(1)], ["a cat"]);
    await expect(matching).rejects.toThrow(CheckpointError);
    await expect(matching).rejects.toThrow(/expected a multimodal encoder, got clip without one/);
  });
});
