/** Real processes, stopped from outside or without a disk, and what is left of their runs. kill.slow.test.ts kills them. */

import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { latestCheckpoint } from "../../src/record/index.ts";
import { flava, KILL_STEPS, until, writeRecipe } from "../support/cli-run.ts";
import { metricsOf, resultsOf } from "../support/tiny-run.ts";

let folder = "";
let recipe: string;
let whole: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-kills-"));
  recipe = await writeRecipe(join(folder, "recipe.yaml"));
  whole = join(folder, "whole");
  const { code, stdout, stderr } = await flava([recipe, "--run-dir", whole, "--quiet"]).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^held_i2t_r1: [\d.]+$/m);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function expectSame(runDir: string): Promise<void> {
  expect(await resultsOf(runDir, KILL_STEPS)).toEqual(await resultsOf(whole, KILL_STEPS));
  expect(await metricsOf(runDir)).toEqual(await metricsOf(whole));
}

describe("flava pretrain", () => {
  it("saves at Ctrl-C, exits with 130, and goes on exactly", async () => {
    const runDir = join(folder, "interrupted");
    const { child, ended } = flava([recipe, "--run-dir", runDir]);
    await until(() => existsSync(join(runDir, "text", "checkpoint-2")), ended);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /stopping; .*\ncancelled: saved at step \d of text, go on with: flava pretrain .* --resume latest\n$/s,
    );
    expect(JSON.parse(await readFile(join(runDir, "run.json"), "utf8")).status).toBe("stopped");
    expect((await flava([recipe, "--run-dir", runDir, "--quiet", "--resume", "latest"]).ended).code).toBe(0);
    await expectSame(runDir);
  });

  it("says that the disk is full, exits with 1, and keeps the checkpoint before", async () => {
    const runDir = join(folder, "full");
    const { child, ended } = flava([recipe, "--run-dir", runDir, "--quiet"]);
    await until(() => existsSync(join(runDir, "text", "checkpoint-1")), ended);
    await until(() => readFileSync(join(runDir, "run.json"), "utf8").includes('"done": 1'), ended);
    child.kill("SIGKILL");
    await ended;
    const { stages } = JSON.parse(await readFile(join(runDir, "run.json"), "utf8"));
    expect(stages.text.seconds, "what was spent before the kill").toBeGreaterThan(0);
    const again = [recipe, "--run-dir", runDir, "--quiet", "--resume", "latest"];
    // No file may be larger than 16 KiB: less than a checkpoint's, more than what else is written before.
    const { code, stderr } = await flava(again, "ulimit -f 16").ended;
    expect(stderr).toMatch(/FileError: .*checkpoint-\d.*: the disk is full \(EFBIG/);
    expect(code).toBe(1);
    expect(
      await latestCheckpoint(join(runDir, "text"), { onDamaged: (message) => expect.fail(message) }),
    ).toBeDefined();
    expect((await flava(again).ended).code).toBe(0);
    await expectSame(runDir);
  });
});
