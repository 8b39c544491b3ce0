/** ALBEF learns a batch by heart, and a run goes on where it was stopped. Slow: 130 steps with five passes each; three runs are compiled and measured. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES, firstBatches, KINDS, stageCase, startStage } from "../../../test/support/stage-case.ts";
import { metricsOf, resultsOf, STAGE, start, tinyRun } from "../../../test/support/tiny-run.ts";
import { openDevice } from "../../runtime/index.ts";
import { toNumbers } from "../../tensor/index.ts";
import type { Batch, Metrics } from "../../train/index.ts";
import type { RunReporter } from "../run/reporter.ts";

/** No caption twice: two equal ones could not be told apart. */
const distinct = ({ feeds }: Batch): boolean => {
  const ids = toNumbers(feeds.input_ids!);
  return new Set(Array.from({ length: 8 }, (_, i) => ids.slice(i * 12, (i + 1) * 12).join())).size === 8;
};

describe("on one batch", () => {
  it("an ALBEF tells its pairs apart in both ways, and learns masked words", async () => {
    const one = await stageCase("albef", { optimizer: { lr: 5e-3, weightDecay: 0 }, momentum: 0.5, alpha: 0 });
    const batch = (await firstBatches(one, 30)).find(distinct)!;
    using started = await startStage(one, await openDevice("cpu", { threads: 1 }));
    const metrics: Metrics[] = [];
    for (let step = 1; step <= 130; step++) metrics.push(await started.updater.update(1, batch)); // the same draws
    const [first, last] = [metrics[0]!, metrics.at(-1)!];
    expect(first.ita).toBeGreaterThan(2);
    // The batch is also what the queue was filled with a step before: each pair stands beside a copy of itself.
    expect(Math.abs(last.ita! - Math.log(2))).toBeLessThan(0.1);
    for (const loss of ["itm", "mlm"]) {
      expect(first[loss], loss).toBeGreaterThan(0.6);
      expect(last[loss], loss).toBeLessThan(0.05);
      expect(last[`${loss}/accuracy`], loss).toBe(1);
    }
  });
});

describe("a run of ALBEF", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "albef-run-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("that is stopped and goes on is the run that was not, to the bit: queues and average are in its checkpoints", async () => {
    const stage = { ...STAGE, ...KINDS.albef, kind: "albef", queueSize: 8 };
    const run = (name: string) => tinyRun(join(folder, name), { ...FAMILIES.albef, stages: { albef: stage } });
    expect((await start(run("whole"))).status).toBe("done");
    const stop = new AbortController();
    const reporter: RunReporter = {
      note: () => undefined,
      begin: () => undefined,
      step: (step) => {
        if (step === 3) stop.abort();
      },
      end: () => undefined,
    };
    expect((await start(run("stopped"), undefined, { signal: stop.signal, reporter })).status).toBe("stopped");
    expect((await start(run("stopped"), "latest")).status).toBe("done");
    const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
    expect(await resultsOf(stopped, { albef: 5 })).toEqual(await resultsOf(whole, { albef: 5 }));
    const metrics = await metricsOf(stopped);
    expect(metrics).toEqual(await metricsOf(whole));
    const names = Object.keys(Object.assign({}, ...metrics));
    for (const name of ["ita", "itm", "mlm", "eval/validation/i2t_r1", "eval/validation/itm_accuracy"])
      expect(names).toContain(name);
  });
});
