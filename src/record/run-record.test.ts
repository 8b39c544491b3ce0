import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_INFO } from "../../test/support/demo-run.ts";
import { loadRunInfo, type RunInfo } from "./run-info.ts";
import { openRunRecord } from "./run-record.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-record-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const FIRST: RunInfo = { ...DEMO_INFO, status: "running", stages: {}, results: {}, finishedAt: undefined };
const ABOUT = { kind: "joint", steps: 9, chance: { mim: 6 }, parameters: 7 };

describe("openRunRecord", () => {
  it("adds the seconds of a process to those before it, as often as they are written", async () => {
    const first = await openRunRecord(folder, FIRST);
    await first.begin("joint", ABOUT);
    await first.advance("joint", { done: 3, samples: 30, seconds: 4, times: { engine: 3 } });
    await first.advance("joint", { done: 6, samples: 60, seconds: 10, times: { engine: 8 } });
    // killed here: what was written with the last checkpoint is what there is
    const second = await openRunRecord(folder, await loadRunInfo(folder));
    await second.begin("joint", ABOUT);
    await second.advance("joint", { done: 9, samples: 90, seconds: 5, times: { engine: 4, data: 1 } }, { itm: 0.3 });
    await second.update({ status: "done" });
    const info = await loadRunInfo(folder);
    expect(info.status).toBe("done");
    expect(info.stages.joint).toEqual({
      ...ABOUT,
      done: 9,
      samples: 90,
      seconds: 15,
      times: { engine: 12, data: 1 },
      chance: { mim: 6, itm: 0.3 },
    });
    expect(info.peakMemoryBytes).toBeGreaterThanOrEqual(DEMO_INFO.peakMemoryBytes!);
    expect(info).toEqual(JSON.parse(JSON.stringify(second.info)));
  });
});
