/** What is measured of models that read regions: matching and masked words, on grids and on a detector's regions. */
import { describe, expect, it } from "vitest";
import { stageCase, startStage } from "../../test/support/stage-case.ts";
import { openSource, type Regions, sourceOf } from "../data/index.ts";
import { families } from "../models/index.ts";
import { openDevice } from "../runtime/index.ts";
import { type PairSet, pairSet } from "./pair-set.ts";
import { createRegionPairs, type RegionPairsOptions } from "./region-pairs.ts";

const pictures: PairSet = pairSet(() => openSource({ type: "synthetic", count: 12, size: 16, seed: 5 }), {
  maxPairs: 12,
});

async function measured(kind: "vinvl" | "volta", options: Partial<RegionPairsOptions> = {}) {
  const one = await stageCase(kind);
  const device = await openDevice("cpu", { threads: 1 });
  using started = await startStage(one, device);
  const model = families[kind].of(one.recipe.model as never);
  const { state } = started;
  const context = { model, device, state, tokenizer: one.tokenizer, batchSize: 5, seed: 0 };
  const masking = { probability: 0.4, maskShare: 1, randomShare: 0, wholeWord: false };
  const bad: string[] = [];
  const evaluator = createRegionPairs(context, {
    ...{ name: "held", pairs: pictures, textLength: 12, regions: { most: 4, grid: 2 }, matching: true, masking },
    onBad: ({ key, reason }) => void bad.push(`${key}: ${reason}`),
    ...options,
  } as RegionPairsOptions);
  const found: Record<string, number> = {};
  try {
    for await (const [metric, value] of evaluator.run(1)) found[metric] = value;
  } finally {
    evaluator.dispose!();
  }
  return { found, chance: evaluator.chance!, bad };
}

describe("pairs of regions", () => {
  it("of a grid are told to match or not, and words that are hidden are guessed, each beside its chance", async () => {
    const { found, chance } = await measured("volta");
    expect(Object.keys(found)).toEqual(["itm_accuracy", "mmm_text_accuracy"]);
    expect(chance.itm_accuracy).toBe(0.5);
    expect(chance.mmm_text_accuracy).toBeGreaterThan(0);
    for (const value of Object.values(found)) expect(value >= 0 && value <= 1).toBe(true);
    expect(found.itm_accuracy).toBeLessThan(0.9); // drawn weights know nothing
  });
  it("of a detector need no picture; those that the model cannot read are left out and told", async () => {
    const regions = (width: number): Regions => ({
      ...{
        count: 2,
        width,
        features: new Float32Array(2 * width).fill(0.5),
        boxes: Float32Array.of(0, 0, 1, 1, 0, 0, 1, 1),
      },
      tags: ["circle"],
    });
    const samples = ["a red circle", "a blue square", "a green ring"].map((text, i) => ({
      ...{ key: `s${i}`, texts: [text], regions: regions(i === 2 ? 7 : 12) },
    }));
    const pairs = pairSet(async () => sourceOf("dump", samples), { maxPairs: 9, regions: true });
    const { found, bad } = await measured("vinvl", { pairs, regions: { most: 4, grid: null }, masking: undefined });
    expect(Object.keys(found)).toEqual(["itm_accuracy"]);
    expect(bad).toEqual(["s2: s2: expected region features of 12 numbers (model.regions.features), got 7"]);
    const none = pairSet(async () => sourceOf("dump", [samples[2]!]), { maxPairs: 9, regions: true });
    await expect(measured("vinvl", { pairs: none, regions: { most: 4, grid: null } })).rejects.toThrow(
      /expected pairs that the model can read, got none: s2: expected region features of 12/,
    );
  });
});
