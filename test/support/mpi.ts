/** Starts processes under the MPI launchers that this machine has. */
import { execFile, spawnSync } from "node:child_process";

/** A launcher that was found. */
export interface Mpi {
  readonly name: "Open MPI" | "MPICH";
  readonly package: string;
  /** Undefined: not installed. */
  readonly command: string | undefined;
  readonly args: readonly string[];
}

const KINDS = [
  {
    name: "Open MPI",
    package: "openmpi-bin",
    commands: ["mpirun.openmpi", "mpirun"],
    // Ranks wait busily, each on a core of its own, unless told that there are fewer cores than ranks.
    args: ["--bind-to", "none", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1"],
  },
  { name: "MPICH", package: "mpich", commands: ["mpiexec.mpich", "mpiexec.hydra", "mpiexec"], args: [] },
] as const;

const RULES = { "Open MPI": /open[ -]?mpi|open-mpi/i, MPICH: /hydra|mpich/i } as const;

const answers = (command: string, rule: RegExp): boolean =>
  rule.test(spawnSync(command, ["--version"], { encoding: "utf8" }).stdout ?? "");

/** What there is, and what there is not, with the package to install. */
export const mpis: readonly Mpi[] = KINDS.map(({ name, package: of, commands, args }) => ({
  name,
  package: of,
  command: commands.find((command) => answers(command, RULES[name])),
  args,
}));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

const ROOT = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

/** Runs node with these arguments on `ranks` ranks. */
export const onRanks = (
  { command, args }: Mpi,
  ranks: number,
  node: readonly string[],
  seconds?: number,
): Promise<Ran> => ran(command!, [...args, "-n", String(ranks), process.execPath, ...node], seconds);

/** Runs a launcher to its end. */
export function ran(command: string, args: readonly string[], seconds = 120): Promise<Ran> {
  const begun = performance.now();
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { timeout: 1000 * seconds, env: { ...process.env, ...ROOT }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr, seconds: (performance.now() - begun) / 1000 });
      },
    );
  });
}

/** The JSON lines that ranks have printed, by their `rank`. */
export const byRank = ({ stdout }: Ran): Record<string, unknown>[] =>
  stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .sort((a, b) => Number(a.rank) - Number(b.rank));
