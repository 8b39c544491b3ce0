/** A run of ALBEF goes on where it was stopped. Slow: three runs are compiled and measured. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES, KINDS } from "../../../test/support/stage-case.ts";
import { metricsOf, resultsOf, STAGE, start, tinyRun } from "../../../test/support/tiny-run.ts";
import type { RunReporter } from "../run/reporter.ts";

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
