import { describe, expect, it } from "vitest";
import { createRunner } from "../../api/index.ts";
import { openSource, type Sample } from "../../data/index.ts";
import { builtFeeds } from "../../evaluators/index.ts";
import { input } from "../../graph/index.ts";
import { dvae, dvaeConfig, dvaeEncoder, visualWords } from "../../models/dvae/index.ts";
import { modelGraph } from "../../models/index.ts";
import { initialize, Params } from "../../nn/index.ts";
import { openDevice, State } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { firstWords } from "./first-words.ts";

const config = dvaeConfig({ groups: 4, blocksPerGroup: 1, hiddenSize: 8, vocabSize: 16 });
const SIDE = 16;
const sizes = { config, side: SIDE, batch: 8, seed: 3 };
const device = await openDevice("cpu", { threads: 1 });

const pictures = async (seed: number, count: number): Promise<Sample[]> => {
  const found: Sample[] = [];
  const source = await openSource({ type: "synthetic", count, size: SIDE, seed });
  for await (const { sample } of source.samples()) found.push(sample);
  return found;
};

/** A codebook with first weights of its own, and what is asked of it. */
async function begun() {
  const p = new Params();
  const noise = input("noise", [8, 16, 2, 2]);
  dvae(p, config, input("codebook_pixel_values", [8, 3, SIDE, SIDE]), noise, input("temperature", []));
  const state = new State(device);
  state.writeAll(initialize(p.specs(), 1));
  return { device, state, samples: async (_: string, count: number) => (await pictures(1, 40)).slice(0, count) };
}

/** The words of held-out pictures. */
async function wordsBy(state: State, samples: readonly Sample[]): Promise<number[]> {
  const root = new Params();
  const logits = dvaeEncoder(root.at("image_codebook"), config, input("codebook_pixel_values", [8, 3, SIDE, SIDE]));
  const runner = createRunner(device, modelGraph("words", root, { words: visualWords(logits) }), 8, { state });
  const words: number[] = [];
  for (let i = 0; i < samples.length; i += 8) {
    const feeds = await builtFeeds({ kind: "dvae", size: SIDE, augment: null }, {}, samples.slice(i, i + 8));
    words.push(...Array.from((await runner.run(feeds)).words!.data, Number));
  }
  runner.dispose();
  return words;
}

describe("firstWords", () => {
  it("tells held-out patches apart that random words take for the same", async () => {
    const beginning = await begun();
    const heldOut = await pictures(2, 24);
    const before = new Set(await wordsBy(beginning.state, heldOut)).size;
    const values = await firstWords(beginning, sizes);
    for (const [name, value] of Object.entries(values)) {
      expect(beginning.state.buffer(name).shape, name).toEqual(value.shape);
      beginning.state.write(name, value);
    }
    expect(new Set(await wordsBy(beginning.state, heldOut)).size).toBeGreaterThan(Math.max(8, 2 * before));
  });

  it("is a function of the seed and of the pictures, and finite for a single colour", async () => {
    const beginning = await begun();
    const again = await firstWords(await begun(), sizes);
    expect(await firstWords(beginning, sizes)).toEqual(again);
    const [one] = await pictures(5, 1);
    const plain = { ...beginning, samples: async () => [one!, one!, one!] };
    for (const value of Object.values(await firstWords(plain, sizes)) as Tensor[])
      expect(Array.from(value.data, Number).every(Number.isFinite)).toBe(true);
  });
});
