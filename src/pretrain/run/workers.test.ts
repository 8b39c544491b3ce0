import { describe, expect, it } from "vitest";
import { type Cluster, workersInProcess } from "../../cluster/index.ts";
import type { BadSample } from "../../data/index.ts";
import { fewFiles } from "./warnings.ts";
import { agreement } from "./workers.ts";

const each = <T>(size: number, work: (cluster: Cluster) => Promise<T>): Promise<T[]> =>
  Promise.all(workersInProcess(size).map(work));

const bad = (key: string, reason = "no picture"): BadSample => ({ source: "tar", key, reason });

describe("agreement", () => {
  it("lists on the first worker what any of them has left out, each sample once from each", async () => {
    const found = await each(3, async (cluster) => {
      const listed: BadSample[] = [];
      const agreed = agreement(cluster, undefined, (one) => void listed.push(one));
      agreed.onBad(bad(`own ${cluster.rank}`));
      if (cluster.rank === 2) for (let i = 0; i < 2500; i++) agreed.onBad(bad(`${i % 1250}`, "cut short"));
      await agreed.meet();
      agreed.onBad(bad(`own ${cluster.rank}`));
      if (cluster.rank === 1) agreed.onBad({ ...bad("later"), kept: true });
      await agreed.meet();
      return listed;
    });
    expect(found.slice(1)).toEqual([[], []]);
    expect(found[0]!.filter(({ reason }) => reason === "no picture").map(({ key }) => key)).toEqual([
      "own 0",
      "own 1",
      "own 2",
      "own 0",
      "later",
    ]);
    expect(found[0]!.filter(({ reason }) => reason === "cut short")).toHaveLength(1250);
    expect(found[0]!.at(-1)).toEqual({ ...bad("later"), kept: true });
  });

  it("stops all workers after the same step, whoever was asked to", async () => {
    const stopped = await each(3, async (cluster) => {
      const own = new AbortController();
      const agreed = agreement(cluster, own.signal);
      for (let step = 1; ; step++) {
        if (cluster.rank === 1 && step === 3) own.abort();
        await agreed.meet();
        if (agreed.signal!.aborted) return step;
      }
    });
    expect(stopped).toEqual([3, 3, 3]);
  });
});

describe("fewFiles", () => {
  it("says which data have fewer files than there are workers", () => {
    const files = { "joint/pair/0": { files: 2 }, "joint/pair/1": { files: 4 }, "joint/text/0": { files: 1 } };
    expect(fewFiles(files, 4)).toEqual([
      "joint/pair: 2 files for 4 workers: each reads all of it, and decodes its own rows",
      "joint/text: 1 file for 4 workers: each reads all of it, and decodes its own rows",
    ]);
    expect(fewFiles(files, 1)).toEqual([]);
  });
});
