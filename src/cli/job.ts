/** The job that a process belongs to: alone, or one of several that an MPI launcher has started. */
import { availableParallelism, cpus } from "node:os";
import { type Cluster, type Launch, launchOf, oneWorker, openMpi } from "../cluster/index.ts";
import { ConfigError } from "../errors.ts";
import type { Io } from "./command.ts";

/** What `--mpi` and `--patience` say. */
export interface JobOptions {
  /** `true`: asked for; a text: the library. */
  readonly mpi?: string | true | undefined;
  /** Seconds. */
  readonly patience?: number | undefined;
}

/** Workers of this job, and this one's threads. */
export interface Job {
  readonly cluster: Cluster;
  /** What this worker may use of its machine; undefined: all. */
  readonly threads: number | undefined;
}

/** Throws ConfigError where a launcher has started a command several times that writes a folder and knows nothing of other workers. */
export function checkAlone(command: string, env: Readonly<Record<string, string | undefined>> = process.env): void {
  const launch = launchOf(env);
  if (launch && launch.size > 1)
    throw new ConfigError(
      `flava ${command}: expected to be started once, got one of ${launch.size} processes of ${launch.launcher}, which would all do the same`,
      `start it without ${launch.launcher.split(" ").at(-1)}; on several workers runs: flava pretrain`,
    );
}

const DEFAULT_PATIENCE = 1800;

/** Joins the job that a launcher has started. Throws ConfigError where `--mpi` was given without one, EngineError where there is no library for it. */
export async function openJob({ mpi, patience = DEFAULT_PATIENCE }: JobOptions, io: Io): Promise<Job> {
  const launch = launchOf(process.env);
  if (!launch && mpi !== undefined)
    throw new ConfigError(
      "--mpi: expected a process that mpirun, mpiexec or srun has started, got none of their variables",
      "mpirun -n 4 flava pretrain RECIPE",
    );
  if (!launch || launch.size === 1) return { cluster: oneWorker(), threads: undefined };
  const cluster = await openMpi({
    library: typeof mpi === "string" ? mpi : undefined,
    patience,
    onHang: (message) => process.stderr.write(`flava: ${message}: the job ends\n`),
  });
  const threads = threadsOf(launch);
  if (cluster.rank === 0) {
    io.note(`${cluster.size} workers, ${cluster.description}; ${threads} threads each`);
    const [may, all] = [availableParallelism(), cpus().length];
    if (may < all)
      io.note(
        `this worker may use ${may} of ${all} processors: the launcher has pinned it (mpirun --bind-to none, or --map-by slot:PE=N)`,
      );
  }
  return { cluster, threads };
}

/** The processors that a worker may use: those that it is pinned to, or its share of the machine's. */
export function threadsOf(
  { local }: Pick<Launch, "local">,
  [may, all]: readonly [number, number] = [availableParallelism(), cpus().length],
): number {
  return may < all ? may : Math.max(1, Math.floor(all / (local?.size ?? 1)));
}

/** Between the failures of two workers: where all fail alike, the first one's message is enough. */
const AFTER_FIRST_MS = 1000;

/** A worker that cannot end, since it waits for others, is ended. */
const LAST_MS = 3000;

/**
 * Runs `work` on this worker. Where it fails the whole job ends, once the failure is printed: the others would wait for this worker.
 */
export async function withJob<T>({ cluster }: Job, io: Io, work: () => Promise<T>): Promise<T> {
  if (cluster.size === 1) return work();
  const abort = (): void => cluster.abort();
  process.once("exit", abort);
  try {
    const done = await work();
    await cluster.close();
    process.off("exit", abort);
    return done;
  } catch (error) {
    if (cluster.rank > 0) {
      await new Promise((resolve) => setTimeout(resolve, AFTER_FIRST_MS));
      io.note(`worker ${cluster.rank} of ${cluster.size}:`);
    }
    setTimeout(() => process.exit(1), LAST_MS).unref();
    throw error;
  }
}
