import { describe, expect, it } from "vitest";
import type { Io } from "./command.ts";
import { checkAlone, openJob, threadsOf } from "./job.ts";

describe("openJob", () => {
  it("is one worker without a launcher, and says how to start where a job was asked for", async () => {
    const io = { note: () => undefined } as unknown as Io;
    expect((await openJob({}, io)).cluster.size).toBe(1);
    await expect(openJob({ mpi: true }, io)).rejects.toThrow(
      /--mpi: expected a process that mpirun, mpiexec or srun has started.*\n.*mpirun -n 4 flava pretrain RECIPE/,
    );
  });
});

describe("checkAlone", () => {
  it("refuses a command that each process of a job would run for itself", () => {
    expect(() => checkAlone("finetune", { PMI_RANK: "1", PMI_SIZE: "2" })).toThrow(
      /flava finetune: expected to be started once, got one of 2 processes of MPICH's mpiexec.*\n.*without mpiexec/,
    );
    checkAlone("finetune", { PMI_RANK: "0", PMI_SIZE: "1" });
    checkAlone("finetune", {});
  });
});

describe("threadsOf", () => {
  it("are a worker's share of its machine, or the processors that it is pinned to", () => {
    const local = { rank: 0, size: 4 };
    expect(threadsOf({ local }, [64, 64])).toBe(16);
    expect(threadsOf({ local }, [8, 64])).toBe(8);
    expect(threadsOf({ local }, [2, 2])).toBe(1);
    expect(threadsOf({ local: undefined }, [8, 8])).toBe(8);
  });
});
