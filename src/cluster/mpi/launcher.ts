/** Whether a launcher has started this process as one of several, read from what launchers set in the environment. */

/** What the launcher says of this process. */
export interface Launch {
  /** What started it. */
  readonly launcher: string;
  readonly rank: number;
  readonly size: number;
  /** Which of the processes on this machine it is, and how many there are; undefined where the launcher does not say. */
  readonly local: { readonly rank: number; readonly size: number } | undefined;
  /** Whose library belongs to it; undefined: it starts any. */
  readonly library: "Open MPI" | "MPICH" | undefined;
}

interface Row {
  readonly launcher: string;
  readonly rank: string;
  readonly size: string;
  readonly local?: readonly [rank: string, size: string];
  readonly library?: "Open MPI" | "MPICH";
}

/** In this order: under `srun` Open MPI's and MPICH's own variables are there too. Slurm's are of a step, as the batch script has a rank as well. */
const LAUNCHERS: readonly Row[] = [
  {
    launcher: "Open MPI's mpirun",
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
    local: ["OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"],
    library: "Open MPI",
  },
  {
    launcher: "MPICH's mpiexec",
    rank: "PMI_RANK",
    size: "PMI_SIZE",
    local: ["MPI_LOCALRANKID", "MPI_LOCALNRANKS"],
    library: "MPICH",
  },
  {
    launcher: "srun",
    rank: "SLURM_PROCID",
    size: "SLURM_STEP_NUM_TASKS",
    local: ["SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"],
  },
];

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** What the environment says; undefined where no launcher has started this process. A job of one process is a launch too. */
export function launchOf(env: Readonly<Record<string, string | undefined>>): Launch | undefined {
  for (const { launcher, library, ...names } of LAUNCHERS) {
    const [rank, size] = [whole(env[names.rank]), whole(env[names.size])];
    if (rank === undefined || size === undefined || rank >= size) continue;
    const [localRank, localSize] = (names.local ?? []).map((name) => whole(env[name]));
    const local = localRank !== undefined && localSize !== undefined ? { rank: localRank, size: localSize } : undefined;
    return {
      launcher: env.SLURM_STEP_ID !== undefined ? "srun" : launcher,
      rank,
      size,
      local,
      library: env.SLURM_STEP_ID !== undefined ? undefined : library,
    };
  }
  return undefined;
}
