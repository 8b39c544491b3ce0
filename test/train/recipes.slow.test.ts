/** Every committed recipe with --tiny, to its end. Slow: some forty runs of up to four stages, five to ten seconds each on two cores. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveRecipe } from "../../src/pretrain/recipe/index.ts";
import { start } from "../support/tiny-run.ts";

const all = (await readdir("recipes", { recursive: true }))
  .filter((name) => name.endsWith(".yaml") && !/^(ablation-.*|compared|compared\/bias\/bias)\.yaml$/.test(name)) // those are of flava ablate
  .sort();

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-recipes-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("--tiny", () => {
  it("is tried on the recipes of the repository", () => {
    expect(all).toEqual(expect.arrayContaining(["starter.yaml", "starter-long.yaml", "flava-base.yaml"]));
    expect(all.filter((name) => name.startsWith("ablation/")).length).toBe(7);
  });

  it.each(all)("runs %s to its end", async (name) => {
    const runDir = join(folder, name.replaceAll("/", "-"));
    const { recipe } = await resolveRecipe(join("recipes", name), { tiny: true, set: [`runDir=${runDir}`] });
    const info = await start(recipe);
    expect(info.status).toBe("done");
    expect(Object.keys(info.stages)).toEqual(Object.keys(recipe.stages));
    for (const [stage, { done, samples }] of Object.entries(info.stages)) {
      expect(done).toBe(recipe.stages[stage]!.steps);
      expect(samples).toBe(done * 8);
    }
    const last = Object.values(recipe.stages).at(-1)!;
    const tests = last.kind === "joint" && last.sampling.pairs > 0 ? Object.keys(recipe.evaluation.test) : [];
    for (const set of tests)
      for (const number of ["i2t_r1", "t2i_r1", "i2t_r1_over_chance", "t2i_r1_over_chance"])
        expect(info.results[`${set}_${number}`], `${set}_${number}`).toBeGreaterThanOrEqual(0);
    expect(await readdir(runDir)).toEqual(
      expect.arrayContaining(["model.safetensors", "config.json", "tokenizer.json", "report.html", "metrics.jsonl"]),
    );
  });
});
