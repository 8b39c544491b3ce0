/** Ten kills of one run. Slow: each is a process that starts, traces and compiles anew, a quarter of a minute on two cores. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { flava, KILL_STEPS, runKilled, writeRecipe } from "../support/cli-run.ts";
import { metricsOf, resultsOf } from "../support/tiny-run.ts";

it("flava pretrain, killed ten times, ends with the parameters of the run that was not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flava-ten-kills-"));
  const recipe = await writeRecipe(join(folder, "recipe.yaml"));
  const whole = join(folder, "whole");
  const begun = Date.now();
  expect((await flava([recipe, "--run-dir", whole, "--quiet"]).ended).code).toBe(0);
  const runMs = Date.now() - begun;
  let [kills, halves] = [0, 0];
  for (let round = 0; kills < 10; round++) {
    const runDir = join(folder, `killed-${round}`);
    const left = await runKilled(recipe, runDir, { kills: 10 - kills, runMs: runMs / 2, seed: Date.now() });
    kills += left.length;
    halves += left.filter((names) => names.length > 0).length;
    expect(await resultsOf(runDir, KILL_STEPS)).toEqual(await resultsOf(whole, KILL_STEPS));
    expect(await metricsOf(runDir)).toEqual(await metricsOf(whole));
  }
  expect(halves, "kills that have left a half-written checkpoint").toBeGreaterThan(2);
  await rm(folder, { recursive: true, force: true });
});
