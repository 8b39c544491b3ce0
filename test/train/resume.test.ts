/** A run that is interrupted and goes on is the run that was not: to the bit. */
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunReporter } from "../../src/pretrain/run/reporter.ts";
import { metricsOf, resultsOf, start, TINY_RUN, tinyRun } from "../support/tiny-run.ts";

const STEPS = { codebook: 5, text: 5, image: 5, joint: 5 };

let folder = "";
let whole: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-resume-"));
  whole = join(folder, "whole");
  expect((await start(tinyRun(whole))).status).toBe("done");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function expectSame(runDir: string): Promise<void> {
  expect(await resultsOf(runDir, STEPS)).toEqual(await resultsOf(whole, STEPS));
  expect(await metricsOf(runDir)).toEqual(await metricsOf(whole));
}

/** Stops where `at` says; the loop tells of a step before it evaluates and saves it. */
function stopping(at: (stage: string, step: number) => boolean): { signal: AbortSignal; reporter: RunReporter } {
  const stop = new AbortController();
  let stage = "";
  const reporter: RunReporter = {
    note: () => undefined,
    begin: (name) => {
      stage = name;
    },
    step: (step) => {
      if (at(stage, step)) stop.abort();
    },
    end: () => undefined,
  };
  return { signal: stop.signal, reporter };
}

describe("a run that is stopped", () => {
  it("after steps in the middle of every stage goes on from the latest checkpoint as if nothing had been", async () => {
    const runDir = join(folder, "stopped");
    // 1: nothing yet. 2: a log and a checkpoint. 3: an evaluation, which is cut off and made up for. 5: the last of its stage.
    const stops = ["codebook 1", "codebook 3", "text 3", "text 5", "image 2", "joint 1", "joint 3", "joint 5"];
    for (const [i, place] of stops.entries()) {
      const at = stopping((stage, step) => `${stage} ${step}` === place);
      expect((await start(tinyRun(runDir), i === 0 ? undefined : "latest", at)).status, place).toBe("stopped");
      const [stage, step] = place.split(" ");
      expect(await readdir(join(runDir, stage!)), place).toContain(`checkpoint-${step}`);
    }
    const info = await start(tinyRun(runDir), "latest");
    expect(info.status).toBe("done");
    expect(Object.values(info.stages).map(({ samples }) => samples)).toEqual([20, 20, 20, 20]);
    await expectSame(runDir);
  });

  it("goes back to a checkpoint that is named, and forgets what came after it", async () => {
    const runDir = join(folder, "back");
    await cp(whole, runDir, { recursive: true });
    const at = stopping((stage, step) => stage === "image" && step === 3);
    await start(tinyRun(runDir), join(runDir, "image", "checkpoint-2"), at);
    expect((await readdir(join(runDir, "image"))).filter((name) => name.startsWith("checkpoint"))).toEqual([
      "checkpoint-2",
      "checkpoint-3",
    ]);
    expect((await readdir(join(runDir, "joint"))).filter((name) => name.startsWith("checkpoint"))).toEqual([]);
    await start(tinyRun(runDir), "latest");
    await expectSame(runDir);
  });

  it("one stage at a time is the run of all stages", async () => {
    const runDir = join(folder, "stages");
    for (const stage of Object.keys(STEPS)) await start(tinyRun(runDir), undefined, {}, stage);
    await expectSame(runDir);
  });
});

describe("worker threads", () => {
  it("make the batches that the main thread makes", async () => {
    const runDir = join(folder, "workers");
    const recipe = tinyRun(runDir);
    await start({ ...recipe, data: { ...recipe.data, workers: 2 } });
    await expectSame(runDir);
  });
});

describe("a run whose recipe may change", () => {
  const may = ["stages.*.steps", "stages.*.optimizer.lr"];
  const { text } = TINY_RUN.stages;
  const recipeOf = (runDir: string, steps: readonly [number, number], lr = 1e-2, mayChange = may) =>
    tinyRun(runDir, {
      mayChange,
      stages: {
        text: { ...text, steps: steps[0] },
        more: { ...text, steps: steps[1], optimizer: { lr }, init: { text: "text" }, every: { log: 1, save: 2 } },
      },
    });

  it("goes on to more steps and with another learning rate, and says so in run.json", async () => {
    const runDir = join(folder, "longer");
    expect((await start(recipeOf(runDir, [2, 3]))).status).toBe("done");
    await expect(start(recipeOf(runDir, [2, 6], 5e-3, []), "latest")).rejects.toThrow(
      /stages\.more\.steps: was 3, now 6\n.*lr: was 0\.01, now 0\.005\n.*mayChange=\[stages\.more\.steps, stages\.more\.optimizer\.lr\]/,
    );
    const { status, stages, history } = await start(recipeOf(runDir, [2, 6], 5e-3), "latest");
    expect([status, stages.more!.done]).toEqual(["done", 6]);
    const changes = ["stages.more.steps: was 3, now 6", "stages.more.optimizer.lr: was 0.01, now 0.005"];
    expect(history).toMatchObject([{ stage: "more", step: 3, changes: expect.arrayContaining(changes) }]);
    const lines = (await metricsOf(runDir)).filter(
      ({ stage, step, lr }) => stage === "more" && Number(step) > 3 && lr !== undefined,
    );
    expect(lines.map(({ step }) => step)).toEqual([4, 5, 6]);
    for (const { step, lr } of lines)
      expect(lr, `${step}`).toBeCloseTo(2.5e-3 * (1 + Math.cos((Math.PI * (Number(step) - 2)) / 4)), 8);
  });

  it("trains later stages again where an earlier one gets more steps, also when it is stopped among them", async () => {
    const runDir = join(folder, "earlier");
    await start(recipeOf(runDir, [2, 4]));
    const notes: string[] = [];
    const at = stopping((stage, step) => `${stage} ${step}` === "more 1");
    const reporter = { ...at.reporter, note: (line: string) => void notes.push(line) };
    expect((await start(recipeOf(runDir, [3, 4]), "latest", { ...at, reporter })).status).toBe("stopped");
    expect(notes).toContainEqual(
      expect.stringMatching(/more.checkpoint-4: removed, the run goes back to step 2 of text/),
    );
    expect(await readdir(join(runDir, "more"))).toContain("checkpoint-1");
    expect((await start(recipeOf(runDir, [3, 4]), "latest")).stages).toMatchObject({
      text: { done: 3 },
      more: { done: 4 },
    });
    const anew = join(folder, "anew");
    await start(recipeOf(anew, [3, 4]));
    const last = async (dir: string) => (await metricsOf(dir)).filter(({ stage }) => stage === "more").at(-1);
    expect(await last(runDir)).toEqual(await last(anew));
  });
});
