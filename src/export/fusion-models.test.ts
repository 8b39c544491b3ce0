/** Models that match pictures with texts, opened from a folder and asked like a FLAVA. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../api/index.ts";
import { CheckpointError } from "../errors.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { albefConfig, albefConfigJson, albefFamily } from "../models/albef/index.ts";
import { viltConfig, viltConfigJson, viltFamily } from "../models/vilt/index.ts";
import { initialize } from "../nn/index.ts";
import { bertTokenizerJson, SPECIAL_TOKENS } from "../text/index.ts";
import { exportOnnx } from "./index.ts";

const WORDS = ["a", "red", "green", "square", "circle"];
const vocabulary = [...SPECIAL_TOKENS, ...WORDS];
const text = { vocabSize: vocabulary.length, maxPositions: 12 };
const image = { imageSize: 16, patchSize: 8 };
const vilt = viltConfig({
  hiddenSize: 16,
  layers: 2,
  heads: 2,
  intermediateSize: 32,
  layerNormEps: 1e-12,
  image,
  text,
});

const layers = { hiddenSize: 16, heads: 2, intermediateSize: 32 };
const albef = albefConfig({
  image: { ...layers, ...image, layers: 1 },
  text: { ...layers, ...text, layers: 1, fusionLayers: 1 },
  projectionDim: 8,
});

const picture = (value: number) => ({
  width: 20,
  height: 20,
  channels: 3,
  data: Uint8Array.from({ length: 1200 }, (_, i) => (i * value) % 256),
});
const A = "a red square";
const B = "a green circle";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusion-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A folder as `flava export` writes it, with weights that are larger than a model starts with: so that results differ. */
async function opened(config: object, specs: Parameters<typeof initialize>[0]): Promise<FlavaModel> {
  const weights = initialize(specs, 3);
  for (const t of Object.values(weights))
    if (t.shape.length > 1)
      t.data.forEach((x, i) => {
        t.data[i] = 10 * x;
      });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(bertTokenizerJson(vocabulary)));
  await saveSafetensors(join(folder, "model.safetensors"), entriesOf(weights));
  return FlavaModel.fromPretrained(folder, { threads: 1 });
}

describe("a ViLT's folder", () => {
  let model: FlavaModel;
  beforeAll(async () => {
    model = await opened(viltConfigJson(vilt), viltFamily.of(vilt).parameters());
  });
  afterAll(() => model?.dispose());

  it("matches pictures with texts, each pair by itself", async () => {
    const all = await model.match([picture(3), picture(5), picture(3)], [A, B, B]);
    expect(new Set(all).size).toBe(3);
    const [alone] = await model.match(picture(3), A);
    expect(alone).toBeCloseTo(all[0]!, 6);
    for (const p of all) expect(p).toBeGreaterThan(0);
    const { multimodal_embeddings } = await model.encodePair(picture(3), A);
    expect(multimodal_embeddings.shape).toEqual([1, 5 + 5, 16]); // CLS and patches, then [CLS] a red square [SEP]
  });
  it("fills in words beside a picture, and says that it needs one", async () => {
    const [found] = await model.fillMask("a [MASK] square", { image: picture(3), topK: 3 });
    expect(found).toHaveLength(3);
    await expect(model.fillMask("a [MASK] square")).rejects.toThrow(/expected a head for masked words/);
  });
  it("says why it embeds no picture and no text", async () => {
    for (const asked of [
      model.encodeImage(picture(1)),
      model.encodeText(A),
      model.similarity([picture(1)], [A]),
      model.logitScale(),
    ]) {
      await expect(asked).rejects.toThrow(CheckpointError);
    }
    await expect(model.similarity([picture(1)], [A])).rejects.toThrow(/ViLT has no contrastive space/);
  });
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(folder, join(folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(["image", "text", "multimodal", "full"]);
    const outputs = Object.fromEntries(
      files.map(({ graph, parity }) => [graph, parity.map(({ output }) => output).sort()]),
    );
    expect(outputs.multimodal).toEqual(["itm_logits", "last_hidden_state", "pooler_output"]);
    for (const { output, max, size } of files.flatMap(({ parity }) => parity))
      expect(max / size, output).toBeLessThan(1e-4);
    expect(outputs.full).toEqual(["itm_logits", "mmm_text_logits", "multimodal_embeddings"]);
  });
});

describe("an ALBEF's folder", () => {
  let model: FlavaModel;
  beforeAll(async () => {
    model = await opened(albefConfigJson(albef), albefFamily.of(albef).parameters());
  });
  afterAll(() => model?.dispose());

  it("embeds, compares by its temperature, and matches", async () => {
    const { image_embeds } = await model.encodeImage([picture(3), picture(5)]);
    expect(Math.hypot(...image_embeds.row(1))).toBeCloseTo(1, 5);
    expect(await model.logitScale()).toBeCloseTo(1 / 0.07, 4);
    const { similarity, logits_per_image } = await model.similarity([picture(3), picture(5)], [A, B]);
    expect(Number(logits_per_image.data[3]) / Number(similarity.data[3])).toBeCloseTo(1 / 0.07, 3);
    const all = await model.match([picture(3), picture(5)], [A, B]);
    const [alone] = await model.match(picture(5), B);
    expect(alone).toBeCloseTo(all[1]!, 6);
  });
  it("fills in words beside a picture", async () => {
    const [found] = await model.fillMask("a [MASK] square", { image: picture(3), topK: 3 });
    expect(found).toHaveLength(3);
  });
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(folder, join(folder, "exported-albef"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(["image", "text", "multimodal", "full"]);
    for (const { output, max, size } of files.flatMap(({ parity }) => parity))
      expect(max / size, output).toBeLessThan(1e-4);
    expect(files.at(-1)!.parity.map(({ output }) => output)).toContain("contrastive_logits_per_image");
  });
});
