/**
 * `npm run bench cluster`: the starter's pair step, with the words of its data, on 1, 2 and 4 ranks with one thread each, under the MPI that is here. `-- --ranks 1,2`: on
 * others; `-- --kind contrast`: of another kind of batch. Each is measured twice, in turn, and compared with what `flava plan` predicts of it.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Cluster, launchOf, type Memory, openMpi } from "../src/cluster/index.ts";
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
  /** Bytes that a rank has to send in a step, by the numbers that it has handed over. */
  readonly sent: number;
  /** Seconds of a sum of one number, and bytes a second of a large one's. */
  readonly latency: number;
  readonly bandwidth: number;
}

/** Prints `cluster_<ranks>_…`: `step_s`, `predicted_step_s`, `efficiency`, `collectives_share`, `sent_mb`, `predicted_mb`. */
export async function cluster(rounds: number, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    options: { ranks: { type: "string" }, kind: { type: "string" }, words: { type: "string" } },
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
  if (launchOf(process.env)) return rank(recipe, kind, rounds);
  const seen = new Map<number, Seen[]>(ranks.map((n) => [n, []]));
  for (let turn = 0; turn < 2; turn++)
    for (const n of ranks) {
      say(`${n} ranks, ${rounds} steps…`);
      seen.get(n)!.push(job(n, { kind, rounds, words }));
    }
  const samples = recipe.stages[STAGE]!.batchSize;
  await compare(recipe, await calibrate(recipe, STAGE, { samples, rounds }), seen);
}

/** The stage with batches of one kind alone. */
const only = (kind: string): string[] =>
  Object.entries({ pairs: "pair", contrast: "contrast", images: "image", texts: "text" }).map(
    ([field, name]) => `stages.${STAGE}.sampling.${field}=${Number(name === kind)}`,
  );

interface Job {
  readonly kind: string;
  readonly rounds: number;
  readonly words: number;
}

function job(ranks: number, { kind, rounds, words }: Job): Seen {
  const node = [process.argv[1]!, "cluster", "--kind", kind, "--rounds", String(rounds), "--words", String(words)];
  const { stdout, stderr, status } = spawnSync(
    LAUNCHER,
    [...launcherArgs(ranks), "-n", String(ranks), process.execPath, ...node],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${LAUNCHER}: expected a job that ends well, got status ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Seen;
}

/** One rank of a job; the first prints what it has seen. */
async function rank(recipe: Recipe, kind: string, rounds: number): Promise<void> {
  const mpi = await openMpi();
  const [latency, bandwidth] = [await timed(mpi, 1), (2 * share(mpi) * 4 * 2 ** 20) / (await timed(mpi, 2 ** 20))];
  const calls: { seconds: number; bytes: number }[] = [];
  const collectives: number[] = [];
  let sent = 0;
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
      calls.length = 0;
    },
  });
  const seen: Seen = { steps: times[kind]!, collectives, sent, latency, bandwidth };
  if (mpi.rank === 0) process.stdout.write(`${JSON.stringify(seen)}\n`);
  await mpi.close();
}

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

function noted(mpi: Cluster, calls: { seconds: number; bytes: number }[]): Cluster {
  const noting =
    <T extends readonly [Memory, ...unknown[]]>(times: number, call: (...args: T) => Promise<void>) =>
    async (...args: T): Promise<void> => {
      const begun = performance.now();
      await call(...args);
      const bytes = times * share(mpi) * args[0].length * (args[0] instanceof Float64Array ? 8 : 4);
      calls.push({ seconds: (performance.now() - begun) / 1000, bytes });
    };
  return {
    ...mpi,
    allGather: noting(1, mpi.allGather),
    allReduce: noting(2, mpi.allReduce),
    reduceScatter: noting(1, mpi.reduceScatter),
  };
}

async function compare(recipe: Recipe, machine: Machine, seen: ReadonlyMap<number, readonly Seen[]>): Promise<void> {
  const alone = await shareOf(recipe, STAGE, 1);
  const one = stepOf(seen.get(1) ?? [...seen.values()][0]!);
  for (const [ranks, runs] of seen) {
    const step = stepOf(runs);
    figure(`cluster_${ranks}_step_s`, step);
    if (ranks === 1) continue;
    const work = await shareOf(recipe, STAGE, ranks);
    figure(`cluster_${ranks}_predicted_step_s`, predicted(alone, work, machine, runs[0]!));
    figure(`cluster_${ranks}_efficiency`, one / (Math.min(ranks, availableParallelism()) * step));
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

const stepOf = (runs: readonly Seen[]): number => median(runs.flatMap(({ steps }) => steps));

/** Ranks above the number of cores take turns on them. */
function predicted(alone: WorkerShare, work: WorkerShare, machine: Machine, { latency, bandwidth }: Seen): number {
  const rounds = 2 * Math.ceil(Math.log2(work.workers));
  const [found] = predict(alone, [work], machine, { bandwidth, latency: latency / rounds, perMachine: 1 });
  const turns = Math.max(1, work.workers / availableParallelism());
  return (found!.shared + found!.repeated) * turns + found!.transfer + found!.waiting;
}
