import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_INFO } from "../../test/support/demo-run.ts";
import { resolveRecipe } from "../pretrain/recipe/index.ts";
import { type RunInfo, saveRecipe, saveRunInfo } from "../record/index.ts";
import { compareRuns, comparisonTable, resultRow } from "./compare.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flava-compare-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function run(
  name: string,
  results: Record<string, number>,
  more: Partial<RunInfo> = {},
  seed = 0,
): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const { recipe } = await resolveRecipe("recipes/starter.yaml", { set: [`seed=${seed}`] });
  await saveRunInfo(folder, { ...DEMO_INFO, results, ...more });
  await saveRecipe(folder, { ...recipe, name });
  return folder;
}

describe("compareRuns", () => {
  it("gives each result of each run, its mean and deviation, and the recipe keys that differ", async () => {
    const folders = [
      await run("a", { r1: 0.1, r5: 0.5, alone: 3 }),
      await run("b", { r1: 0.2, r5: 0.5 }, {}, 7),
      await run("c", { r1: 0.6, r5: 0.5 }),
    ];
    const comparison = await compareRuns(folders);
    expect(comparison.runs).toEqual(["a", "b", "c"]);
    expect(comparison.recipes).toEqual({ seed: [0, 7, 0] });
    const [r1, r5, alone] = comparison.rows;
    expect(r1!.values).toEqual([0.1, 0.2, 0.6]);
    expect(r1!.mean).toBeCloseTo(0.3, 12);
    expect(r1!.deviation).toBeCloseTo(Math.sqrt((0.04 + 0.01 + 0.09) / 2), 12);
    expect([r5!.mean, r5!.deviation]).toEqual([0.5, 0]);
    expect(alone).toEqual({ name: "alone", values: [3, undefined, undefined], mean: 3, deviation: undefined });
    expect(comparisonTable(comparison)).toBe(
      [
        "| result | a | b | c | mean ± deviation |",
        "| --- | --- | --- | --- | --- |",
        "| `r1` | 0.1 | 0.2 | 0.6 | 0.3 ± 0.265 |",
        "| `r5` | 0.5 | 0.5 | 0.5 | 0.5 ± 0 |",
        "| `alone` | 3 | – | – | 3 |",
        "",
        "seed: 0, 7, 0",
      ].join("\n"),
    );
  });

  it("refuses a run that isn't done, and a folder that is no run's", async () => {
    const folder = await run("d", {}, { status: "stopped" });
    await expect(compareRuns([folder])).rejects.toThrow(/d: expected a run that is done, got one that is stopped/);
    await expect(compareRuns([join(root, "nothing")])).rejects.toThrow(/nothing.*run.json: expected a file/);
  });
});

describe("resultRow", () => {
  it("agrees with the textbook on a shifted sample, where sums of squares alone would cancel", () => {
    const { mean, deviation } = resultRow("x", [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]);
    expect(mean).toBe(1e9 + 10);
    expect(deviation).toBeCloseTo(Math.sqrt(30), 9);
  });
});
