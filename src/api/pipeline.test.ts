/** Pipelines: transformers.js' names in, its fields out. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { FlavaModel } from "./flava-model.ts";
import { pipeline } from "./pipeline.ts";
import { type LabelScore, PROBE_FILE, probeTensors } from "./probe.ts";

let folder: string;
let model: FlavaModel;
const picture = { width: 9, height: 7, data: Uint8Array.from({ length: 189 }, (_, i) => (i * 37) % 256) };
const other = { ...picture, data: picture.data.map((x) => 255 - x) };
const probe = {
  input: "cls" as const,
  weight: fromNumbers(
    Array.from({ length: 48 }, (_, i) => Math.sin(i)),
    [3, 16],
  ),
  bias: fromNumbers([0, 1, -1], [3]),
  labels: ["one", "two", "three"],
};

beforeAll(async () => {
  folder = await tinyModelFolder();
  const { tensors, metadata } = probeTensors(probe);
  await saveSafetensors(join(folder, PROBE_FILE), entriesOf(tensors), { metadata });
  model = await FlavaModel.fromPretrained(folder, { threads: 1 });
});
afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

const total = (scores: readonly LabelScore[]): number => scores.reduce((sum, { score }) => sum + score, 0);

describe("zero-shot-image-classification", () => {
  it("ranks labels by the softmax of the contrastive logits", async () => {
    const pipe = await pipeline("zero-shot-image-classification", model);
    const labels = ["cat", "dog", "red ball"];
    const scores = await pipe(picture, labels);
    expectTypeOf(scores).toEqualTypeOf<LabelScore[]>();
    expect(total(scores)).toBeCloseTo(1, 6);
    const texts = labels.map((label) => `This is a photo of ${label}`);
    const [logits] = (await model.similarity(picture, texts)).logits_per_image.tolist() as number[][];
    const best = logits!.indexOf(Math.max(...logits!));
    expect(scores[0]!.label).toBe(labels[best]);
    expect(scores[0]!.score / scores[1]!.score).toBeCloseTo(
      Math.exp(Math.max(...logits!) - logits!.toSorted((a, b) => b - a)[1]!),
      4,
    );
    expect(await pipe(picture, labels, { hypothesis_template: ["This is a photo of {}"], topK: 1 })).toEqual([
      scores[0],
    ]);
    const odd = await pipe(picture, ["cat", "$& dog"], { hypothesis_template: "the red {}" });
    const dollar = await pipe(picture, ["the red cat", "the red $& dog"], { hypothesis_template: "{}" });
    expect(odd.map(({ score }) => score)).toEqual(dollar.map(({ score }) => score));
    const many = await pipe([picture, other], labels, { hypothesis_template: ["a {}", "the {} in this photo"] });
    expect(many.map((each) => each.length)).toEqual([3, 3]);
    await expect(pipe(picture, labels, { hypothesis_template: "a photo" })).rejects.toThrow(/\{\}.*"a photo"/);
    await expect(pipe(picture, [])).rejects.toThrow(/labels/);
  });
});

describe("feature extraction", () => {
  it("of pictures gives embeddings, the pooler, or all states", async () => {
    const pipe = await pipeline("image-feature-extraction", model);
    expect((await pipe(picture)).dims).toEqual([1, 10]);
    expect((await pipe([picture, other], { pool: true })).dims).toEqual([2, 16]);
    expect((await pipe(picture, { pool: false })).dims).toEqual([1, 17, 16]);
  });

  it("of texts pools what counts, without the padding", async () => {
    const pipe = await pipeline("feature-extraction", model);
    const texts = ["cat", "a red ball on the beach"];
    expect((await pipe(texts)).dims).toEqual([2, 8, 16]);
    for (const pooling of ["mean", "cls", "projection"] as const) {
      const together = await pipe(texts, { pooling, normalize: true });
      const alone = await pipe("cat", { pooling, normalize: true });
      expect(together.row(0), pooling).toBeAllclose(alone.data, { atol: 1e-5 });
      expect(Math.hypot(...alone.data)).toBeCloseTo(1, 5);
    }
    const ids = model.prepareTexts("a red ball");
    const bare = await pipe({ input_ids: ids.input_ids } as never, { pooling: "mean" });
    expect(bare.data).toEqual((await pipe("a red ball", { pooling: "mean" })).data);
    await using short = await FlavaModel.fromPretrained(folder, { threads: 1, maxLength: 4 });
    const cut = await (await pipeline("feature-extraction", short))(texts, { pooling: "mean" });
    const said = await pipe(["cat", "a red"], { pooling: "mean" });
    expect(cut.data).toBeAllclose(said.data, { atol: 1e-5 });
  });
});

describe("image-text-matching and fill-mask", () => {
  it("give scores, one or many", async () => {
    const match = await pipeline("image-text-matching", model);
    const one = await match(picture, "a cat");
    expect(one.score).toBeCloseTo((await model.match(picture, "a cat"))[0]!, 6);
    expect(await match([picture, other], ["a cat", "a dog"])).toHaveLength(2);
    const fill = await pipeline("fill-mask", model);
    expect(await fill("a [MASK] on", { top_k: 2 })).toEqual((await model.fillMask("a [MASK] on", { topK: 2 }))[0]);
    expect(await fill("[MASK] [MASK]")).toHaveLength(2);
  });
});

describe("image-classification", () => {
  it("asks the probe beside the model", async () => {
    const pipe = await pipeline("image-classification", model);
    const scores = await pipe(picture);
    const cls = (await model.encodeImage(picture)).image_embeddings.data.slice(0, 16);
    const logits = probe.labels.map(
      (_, c) => probe.bias.data[c]! + cls.reduce((sum, x, d) => sum + x * probe.weight.data[c * 16 + d]!, 0),
    );
    const best = logits.indexOf(Math.max(...logits));
    expect([scores.length, scores[0]!.label, total(scores).toFixed(6)]).toEqual([3, probe.labels[best], "1.000000"]);
    expect(await pipe([picture], { top_k: 1 })).toEqual([[scores[0]]]);
  });

  it("without a probe, and tasks that there are not, are errors", async () => {
    rmSync(join(folder, PROBE_FILE));
    await using pipe = await pipeline("image-classification", folder);
    await expect(pipe(picture)).rejects.toThrow(/probe\.safetensors/);
    await expect(pipeline("summarization" as never, folder)).rejects.toThrow(/fill-mask.*"summarization"/);
  });
});
