import { describe, expect, it } from "vitest";
import type { Cluster } from "./cluster.ts";
import { gatherTexts, launchOf, oneWorker, textOfFirst, workersInProcess } from "./index.ts";

const each = <T>(size: number, work: (cluster: Cluster) => Promise<T>): Promise<T[]> =>
  Promise.all(workersInProcess(size).map(work));

/** Rank-dependent numbers: 1, 2, … times rank + 1. */
const numbers = ({ rank }: Cluster, length: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => (i + 1) * (rank + 1));

describe("workers in one process", () => {
  it("gather each other's part in the order of ranks", async () => {
    const found = await each(3, async (cluster) => {
      const all = new Float64Array(6);
      all.set(numbers(cluster, 2), 2 * cluster.rank);
      await cluster.allGather(all);
      return [...all];
    });
    expect(found).toEqual(Array(3).fill([1, 2, 2, 4, 3, 6]));
  });

  it("add up, and keep all of the sum or their part of it", async () => {
    const found = await each(2, async (cluster) => {
      const [sum, own] = [numbers(cluster, 4), new Float64Array(2)];
      await cluster.reduceScatter(numbers(cluster, 4), own);
      await cluster.allReduce(sum);
      return [[...sum], [...own]];
    });
    expect(found).toEqual([
      [
        [3, 6, 9, 12],
        [3, 6],
      ],
      [
        [3, 6, 9, 12],
        [9, 12],
      ],
    ]);
  });

  it("begin sums and go on, and have them in the order in which they were begun", async () => {
    const found = await each(2, async (cluster) => {
      const [first, own, last] = [numbers(cluster, 4), new Float64Array(2), numbers(cluster, 1)];
      const begun = [cluster.beginReduceScatter(first, own), cluster.beginAllReduce(last)];
      await cluster.barrier();
      for (const one of begun) await one.arrive();
      return [...own, ...last];
    });
    expect(found).toEqual([
      [3, 6, 3],
      [9, 12, 3],
    ]);
  });

  it("add up in the order of ranks, whoever comes first", async () => {
    const values = [1e16, 1, -1e16];
    const sums = await each(3, async (cluster) => {
      await new Promise((resolve) => setTimeout(resolve, 3 * (3 - cluster.rank)));
      const sum = Float64Array.of(values[cluster.rank]!);
      await cluster.allReduce(sum);
      return sum[0];
    });
    expect(sums).toEqual(Array(3).fill(1e16 + 1 - 1e16));
  });

  it("take over what one of them has, and wait for each other", async () => {
    const found = await each(3, async (cluster) => {
      const all = numbers(cluster, 2);
      await cluster.broadcast(all, 1);
      await cluster.barrier();
      return [...all];
    });
    expect(found).toEqual(Array(3).fill([2, 4]));
  });

  it("tell each other texts of any length", async () => {
    const found = await each(3, async (cluster) => [
      await gatherTexts(cluster, "é".repeat(cluster.rank)),
      await textOfFirst(cluster, `first is ${cluster.rank}`),
    ]);
    expect(found).toEqual(Array(3).fill([["", "é", "éé"], "first is 0"]));
  });

  it("fail together where they disagree on what they do", async () => {
    const calls = each(2, (cluster) =>
      cluster.rank === 0 ? cluster.barrier() : cluster.allReduce(new Float64Array(3)),
    );
    await expect(calls).rejects.toThrow("worker 0 calls barrier of 0, worker 1 allReduce of 3");
  });

  it("fail where one of them has gone, instead of waiting for it", async () => {
    const [first, second] = workersInProcess(2) as [Cluster, Cluster];
    const waiting = first.barrier();
    await second.close();
    await expect(waiting).rejects.toThrow("worker 1 of 2 has closed");
    await expect(first.barrier()).rejects.toThrow("worker 1 of 2 has closed");
  });
});

describe("one worker", () => {
  it("has every sum already", async () => {
    const [cluster, own] = [oneWorker(), new Float64Array(2)];
    await cluster.reduceScatter(Float64Array.of(1, 2), own);
    expect([cluster.rank, cluster.size, ...own]).toEqual([0, 1, 1, 2]);
  });
});

describe("launchOf", () => {
  const OMPI = {
    OMPI_COMM_WORLD_RANK: "1",
    OMPI_COMM_WORLD_SIZE: "4",
    OMPI_COMM_WORLD_LOCAL_RANK: "1",
    OMPI_COMM_WORLD_LOCAL_SIZE: "2",
  };

  it("knows the launchers of Open MPI, MPICH and Slurm", () => {
    expect(launchOf(OMPI)).toEqual({
      launcher: "Open MPI's mpirun",
      rank: 1,
      size: 4,
      local: { rank: 1, size: 2 },
      library: "Open MPI",
    });
    expect(launchOf({ PMI_RANK: "2", PMI_SIZE: "3" })).toMatchObject({ rank: 2, size: 3, library: "MPICH" });
    const slurm = { SLURM_STEP_ID: "0", SLURM_PROCID: "5", SLURM_STEP_NUM_TASKS: "8" };
    expect(launchOf(slurm)).toMatchObject({ launcher: "srun", rank: 5, size: 8, library: undefined });
    expect(launchOf({ ...slurm, PMI_RANK: "5", PMI_SIZE: "8" })).toMatchObject({
      launcher: "srun",
      library: undefined,
    });
  });

  it("takes a batch script of Slurm, which has a rank too, for one process", () => {
    expect(launchOf({ SLURM_PROCID: "0", SLURM_NTASKS: "8" })).toBeUndefined();
    expect(launchOf({})).toBeUndefined();
  });
});
