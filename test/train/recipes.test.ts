/** What `--dry-run` says of the paper's run. recipes.slow.test.ts runs every recipe. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { resolveRecipe } from "../../src/pretrain/recipe/index.ts";
import { measureStage } from "../../src/pretrain/run/measure.ts";
import { size } from "../../src/tensor/index.ts";

describe("the joint stage of flava-base", () => {
  it("trains the published model's parameters, but for the poolers, which no loss reads, and the frozen codebook", async () => {
    const published: Record<string, number[]> = JSON.parse(
      await readFile("test/golden/flava-base-parameters.json", "utf8"),
    );
    const expected: Record<string, number> = {};
    for (const [name, shape] of Object.entries(published)) {
      // A tied bias stands in the file under both of its names.
      if (/^flava\..*\.pooler\.|^image_codebook\.|\.decoder\.bias$/.test(name)) continue;
      const [first, second] = name.split(".");
      const scope = first === "flava" ? `flava.${second}` : first!;
      expected[scope] = (expected[scope] ?? 0) + size(shape);
    }
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml");
    const { parameters, memory } = await measureStage(recipe, "joint");
    expect(parameters).toEqual(expected);
    const core = Object.entries(parameters).filter(([scope]) => scope.startsWith("flava."));
    const poolers = 3 * (768 * 768 + 768);
    expect(core.reduce((sum, [, n]) => sum + n, poolers)).toBe(241_356_289);
    const all = Object.values(parameters).reduce((a, b) => a + b);
    const joined = 2 * 8192 * 768; // embeddings of both kinds, of the whole batch
    expect(memory["moments and sums"]! / 4).toBeCloseTo(3 * all + joined, -2); // two moments, a sum; and counters
  });
});
