/**
 * `npm run bench cluster`: the starter's pair step, with the words of its data, on 1, 2 and 4 ranks with one thread each, under the MPI that is here. `-- --ranks 1,2`: on
 * others; `-- --kind contrast`: of another kind of batch. Each is measured twice, in turn, and compared with what `flava plan` predicts of it.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Cluster, launchOf, type Memory, openMpi, type UnderWay } from "../src/cluster/index.ts";
import { type Recipe, resolveRecipe } from "../src/pretrain/recipe/index.ts";
import { asBuilt } from "../src/pretrain/run/preview.ts";
import {
  calibrate,
  type Machine,
  predict,
  shareOf,
  timeSteps,
  type WorkerShare,
} from "../src/pretrain/scaling/index.ts";
import { figure, median, say } from "./measure.ts";

/** Words of bert-base-uncased, where the starter's data are not here. */
const FULL = 30_522;

const STAGE = "joint";
const LAUNCHER = "mpirun";
/** One thread of a rank stays on one core, where there are enough. */
const launcherArgs = (ranks: number): string[] => [
  "--allow-run-as-root",
  ...(ranks <= availableParallelism() ? ["--bind-to", "core"] : ["--bind-to", "none", "--oversubscribe"]),
  ...["--mca", "mpi_yield_when_idle", "1"],
];

/** What the first rank of a job has seen. */
interface Seen {
  /** Seconds of each step, and of these in collectives. */
  readonly steps: readonly number[];
  readonly collectives: readonly number[];
  /** Seconds of a core that each step took: what else runs on the machine is not in it. */
  readonly cores: readonly number[];
  /** Bytes that a rank has to send in a step, by the numbers that it has handed over. */
  readonly sent: number;
  /** Seconds of a sum of one number, and bytes a second of a large one's. */
  readonly latency: number;
  readonly bandwidth: number;
}

/** Prints `cluster_<ranks>_…`: `step_s` and `core_s`, the efficiency by both, `predicted_step_s`, `collectives_share`, `sent_mb`, `predicted_mb`. */
export async function cluster(rounds: number, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    options: {
      ...{ ranks: { type: "string" }, kind: { type: "string" } },
      ...{ words: { type: "string" }, calibrate: { type: "boolean" } }, // what the jobs are told
    },
  });
  const [ranks, kind] = [
    String(values.ranks ?? "1,2,4")
      .split(",")
      .map(Number),
    String(values.kind ?? "pair"),
  ];
  const starter = async (...more: string[]): Promise<Recipe> =>
    (await resolveRecipe("recipes/starter.yaml", { set: ["threads=1", ...only(kind), ...more] })).recipe;
  const words = Number(values.words ?? (await asBuilt(await starter(), { note: say })).tokenizer?.vocabSize ?? FULL);
  const recipe = await starter(`model.text.vocabSize=${words}`);
  if (launchOf(process.env)) return values.calibrate ? calibrated(recipe, rounds) : rank(recipe, kind, rounds);
  const seen = new Map<number, Seen[]>(ranks.map((n) => [n, []]));
  for (let turn = 0; turn < 2; turn++)
    for (const n of ranks) {
      say(`${n} ranks, ${rounds} steps…`);
      seen.get(n)!.push(job<Seen>(n, { kind, rounds, words }));
    }
  const machines = new Map<number, Machine>();
  for (const n of new Set(ranks.map(atOnce))) {
    say(`${n} at once, each alone…`);
    machines.set(n, job<Machine>(n, { kind, rounds, words, calibrate: true }));
  }
  await compare(recipe, machines, seen);
}

/** Ranks that compute at the same time. */
const atOnce = (ranks: number): number => Math.min(ranks, availableParallelism());

/** The stage with batches of one kind alone. */
const only = (kind: string): string[] =>
  Object.entries({ pairs: "pair", contrast: "contrast", images: "image", texts: "text" }).map(
    ([field, name]) => `stages.${STAGE}.sampling.${field}=${Number(name === kind)}`,
  );

interface Job {
  readonly kind: string;
  readonly rounds: number;
  readonly words: number;
  readonly calibrate?: boolean;
}

/** What the first rank of a job has printed. */
function job<T>(ranks: number, { kind, rounds, words, calibrate = false }: Job): T {
  const node = [process.argv[1]!, "cluster", "--kind", kind, "--rounds", String(rounds), "--words", String(words)];
  if (calibrate) node.push("--calibrate");
  const { stdout, stderr, status } = spawnSync(
    LAUNCHER,
    [...launcherArgs(ranks), "-n", String(ranks), process.execPath, ...node],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${LAUNCHER}: expected a job that ends well, got status ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as T;
}

/** How fast a rank computes steps of its own while the others do the same: they share the memory of the machine. */
async function calibrated(recipe: Recipe, rounds: number): Promise<void> {
  const mpi = await openMpi();
  await mpi.barrier();
  const machine = await calibrate(recipe, STAGE, { samples: recipe.stages[STAGE]!.batchSize, rounds });
  await mpi.barrier();
  if (mpi.rank === 0) process.stdout.write(`${JSON.stringify(machine)}\n`);
  await mpi.close();
}

/** One rank of a job; the first prints what it has seen. */
async function rank(recipe: Recipe, kind: string, rounds: number): Promise<void> {
  const mpi = await openMpi();
  const [latency, bandwidth] = [await timed(mpi, 1), (2 * share(mpi) * 4 * 2 ** 20) / (await timed(mpi, 2 ** 20))];
  const calls: { seconds: number; bytes: number }[] = [];
  const collectives: number[] = [];
  const cores: number[] = [];
  let [sent, before] = [0, process.cpuUsage()];
  const times = await timeSteps({
    recipe,
    stage: STAGE,
    kinds: [kind],
    rounds,
    cluster: noted(mpi, calls),
    around(_, when) {
      if (when === "after") {
        collectives.push(calls.reduce((sum, { seconds }) => sum + seconds, 0));
        sent = calls.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0); // the last is of what is logged
      }
      if (when === "after") cores.push(secondsOf(process.cpuUsage(before)));
      before = process.cpuUsage();
      calls.length = 0;
    },
  });
  const seen: Seen = { steps: times[kind]!, cores, collectives, sent, latency, bandwidth };
  if (mpi.rank === 0) process.stdout.write(`${JSON.stringify(seen)}\n`);
  await mpi.close();
}

const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

const share = ({ size }: Cluster): number => (size - 1) / size;

/** Median seconds of a sum of so many numbers. */
async function timed(mpi: Cluster, length: number): Promise<number> {
  const [numbers, times] = [new Float32Array(length), [] as number[]];
  for (let i = 0; i < 20; i++) {
    await mpi.barrier();
    const begun = performance.now();
    await mpi.allReduce(numbers);
    times.push((performance.now() - begun) / 1000);
  }
  return median(times);
}

/** Of what travels beside the arithmetic the time counts that it is waited for. */
function noted(mpi: Cluster, calls: { seconds: number; bytes: number }[]): Cluster {
  type Arguments = readonly [Memory, ...unknown[]];
  const note = async (bytes: number, wait: () => Promise<void>): Promise<void> => {
    const begun = performance.now();
    await wait();
    calls.push({ seconds: (performance.now() - begun) / 1000, bytes });
  };
  const bytesOf = (times: number, [all]: Arguments): number =>
    times * share(mpi) * all.length * (all instanceof Float64Array ? 8 : 4);
  const noting =
    <T extends Arguments>(times: number, call: (...args: T) => Promise<void>) =>
    (...args: T): Promise<void> =>
      note(bytesOf(times, args), () => call(...args));
  const beginning =
    <T extends Arguments>(times: number, begin: (...args: T) => UnderWay) =>
    (...args: T): UnderWay => {
      const way = begin(...args);
      return { arrive: () => note(bytesOf(times, args), () => way.arrive()) };
    };
  return {
    ...mpi,
    allGather: noting(1, mpi.allGather),
    allReduce: noting(2, mpi.allReduce),
    reduceScatter: noting(1, mpi.reduceScatter),
    beginAllReduce: beginning(2, mpi.beginAllReduce),
    beginReduceScatter: beginning(1, mpi.beginReduceScatter),
  };
}

async function compare(
  recipe: Recipe,
  machines: ReadonlyMap<number, Machine>,
  seen: ReadonlyMap<number, readonly Seen[]>,
): Promise<void> {
  const alone = await shareOf(recipe, STAGE, 1);
  const first = seen.get(1) ?? [...seen.values()][0]!;
  const one = stepOf(first);
  for (const [ranks, runs] of seen) {
    const step = stepOf(runs);
    figure(`cluster_${ranks}_step_s`, step);
    figure(`cluster_${ranks}_core_s`, coreOf(runs));
    if (ranks === 1) continue;
    const work = await shareOf(recipe, STAGE, ranks);
    figure(`cluster_${ranks}_predicted_step_s`, predicted(alone, work, machines.get(atOnce(ranks))!, runs[0]!));
    figure(`cluster_${ranks}_efficiency`, one / (atOnce(ranks) * step));
    figure(`cluster_${ranks}_core_efficiency`, coreOf(first) / (ranks * coreOf(runs)));
    figure(
      `cluster_${ranks}_collectives_share`,
      median(runs.map((run) => median(run.collectives) / median(run.steps))),
    );
    figure(`cluster_${ranks}_sent_mb`, runs[0]!.sent / 1e6);
    figure(`cluster_${ranks}_predicted_mb`, work.sent / 1e6);
    figure(`cluster_${ranks}_sum_us`, 1e6 * median(runs.map(({ latency }) => latency)), 0);
    figure(`cluster_${ranks}_sum_mb_per_s`, median(runs.map(({ bandwidth }) => bandwidth)) / 1e6, 0);
  }
}

const coreOf = (runs: readonly Seen[]): number => median(runs.flatMap(({ cores }) => cores));

const stepOf = (runs: readonly Seen[]): number => median(runs.flatMap(({ steps }) => steps));

/** Ranks above the number of cores take turns on them. */
function predicted(alone: WorkerShare, work: WorkerShare, machine: Machine, { latency, bandwidth }: Seen): number {
  const rounds = 2 * Math.ceil(Math.log2(work.workers));
  const [found] = predict(alone, [work], {
    machine,
    network: { bandwidth, latency: latency / rounds, perMachine: 1 },
  });
  const turns = Math.max(1, work.workers / availableParallelism());
  return (found!.shared + found!.repeated) * turns + found!.transfer + found!.waiting;
}
