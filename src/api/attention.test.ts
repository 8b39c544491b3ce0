/** Where words look, beside the interpreter's attention on the same feeds. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { CheckpointError } from "../errors.ts";
import { interpret } from "../graph/index.ts";
import { multimodalGraph } from "../models/flava/graphs.ts";
import { variants } from "../models/flava/index.ts";
import { FlavaModel } from "./flava-model.ts";

const TEXT = "a cat, on the beach";
const picture = {
  width: 20,
  height: 30,
  data: Uint8Array.from({ length: 20 * 30 * 3 }, (_, i) => (i * 7) % 256),
};

describe("attention", () => {
  let folder: string;
  let model: FlavaModel;
  beforeAll(async () => {
    folder = await tinyModelFolder();
    model = await FlavaModel.fromPretrained(folder, { threads: 1 });
  });
  afterAll(() => {
    model.dispose();
    rmSync(folder, { recursive: true });
  });

  it("is the last layer's, mean over heads, from each word to each patch", async () => {
    const { grid, words } = await model.attention(picture, TEXT);
    expect(words.map(({ text }) => text)).toEqual(["a", "cat", "on", "the", "beach"]);
    const { input_ids, attention_mask } = model.prepareTexts(TEXT);
    const { pixel_values } = await model.processor({ images: picture });
    const sizes = { batch: 1, textLength: input_ids.shape[1]!, attentions: true };
    const { graph: g, params } = multimodalGraph(variants.tiny, sizes);
    const weights = await Promise.all(
      params.map(async ({ name }) => [name, await model.loaded.state.read(name)] as const),
    );
    const feeds = { ...Object.fromEntries(weights), pixel_values: pixel_values!, input_ids, attention_mask };
    const map = interpret(g, feeds)[`multimodal_attentions.${variants.tiny.multimodal.layers - 1}`]!; // (1, H, M, M)
    const [, H, M] = map.shape as [number, number, number];
    const P = grid[0] * grid[1];
    const at = M - input_ids.shape[1]! + 2; // [CLS], "a", "cat"
    const expected = Array.from({ length: P }, (_, p) => {
      const heads = Array.from({ length: H }, (_, h) => Number(map.data[(h * M + at) * M + 2 + p]!));
      return heads.reduce((a, b) => a + b) / H;
    });
    expect(words[1]!.weights).toBeAllclose(expected, { atol: 1e-6 });
  });

  it("follows the pictures to another size", async () => {
    await using larger = await FlavaModel.fromPretrained(folder, { threads: 1, imageSize: 48 });
    const { grid, words } = await larger.attention(picture, TEXT);
    expect(grid).toEqual([6, 6]);
    expect(words[0]!.weights).toHaveLength(36);
  });

  it("is refused, with what is missing, by a model without a multimodal encoder", async () => {
    const { state } = model.loaded;
    const part = FlavaModel.of({
      ...model.loaded,
      state: { ...state, has: (name: string) => !/multimodal/.test(name) } as typeof state,
    });
    await expect(part.attention(picture, TEXT)).rejects.toThrow(CheckpointError);
    part.dispose();
  });
});
