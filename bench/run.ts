/**
 * `npm run bench`: the core's benchmarks. `npm run bench NAME`: one of them. Each prints `name: value` lines on stdout and what it
 * does on stderr. `-- --rounds N` repeats more or less often. `core -- --profile` prints where a FLAVA-base step spends its
 * time, by operator; `core -- --recompute` measures a training step that computes activations again instead of keeping them.
 */
import { parseArgs } from "node:util";
import { say } from "./measure.ts";

interface Options {
  readonly rounds: number;
  readonly threads: number | undefined;
  readonly profile: boolean;
  readonly recompute: boolean;
}

async function core({ rounds, threads, profile, recompute }: Options): Promise<void> {
  const { openDevice } = await import("../src/runtime/index.ts");
  const { layers, recomputation } = await import("./layers.ts");
  const { base, profileBase } = await import("./base.ts");
  const device = await openDevice("cpu", threads ? { threads } : {});
  const steps = Math.max(1, Math.min(rounds, 3));
  if (recompute) return recomputation(device, rounds);
  if (profile) return printProfile(await profileBase(device, steps, "build/flava-profile"));
  await layers(device, rounds);
  await base(device, steps);
}

/** Time per operator type, longest first, without the warm-up. */
async function printProfile(file: string): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  const { formatProfile, summarizeProfile } = await import("../src/runtime/onnxruntime/profile.ts");
  say(formatProfile(summarizeProfile(await readFile(file, "utf8"), { skipRuns: 1 })));
}

/** A new benchmark is a new line here. */
const BENCHES: Readonly<Record<string, (options: Options, args: readonly string[]) => Promise<void>>> = {
  core,
  kernels: async ({ rounds }) => (await import("./kernels.ts")).kernels(rounds),
  train: async ({ rounds }, args) => (await import("./train.ts")).train(6 * rounds, args),
  sources: async (_, args) => (await import("./sources.ts")).sources(args),
  words: async (_, args) => (await import("./words.ts")).words(args),
  data: async (_, args) => (await import("./data.ts")).data(args),
  infer: async ({ rounds, threads }) => (await import("./infer.ts")).infer(rounds, threads),
  peers: async ({ rounds, threads }, args) => (await import("./peers.ts")).peers(rounds, threads, args),
  web: async ({ rounds }, args) => (await import("./web.ts")).web(rounds, args),
  cluster: async ({ rounds }, args) => (await import("./cluster.ts")).cluster(rounds, args),
  systems: async ({ rounds, threads }, args) =>
    (await import("./systems.ts")).systems(
      2 * rounds,
      threads,
      args.filter((arg) => /^[a-z]+$/.test(arg)),
    ),
  evaluation: async ({ rounds, threads }, args) => (await import("./evaluation.ts")).evaluation(rounds, threads, args),
};

const [name = "core", ...rest] = process.argv.slice(2).filter((arg, i) => i === 0 && !arg.startsWith("-"));
const args = process.argv.slice(2).filter((arg) => arg !== name);
const bench = BENCHES[name];
if (!bench) {
  say(`bench: expected one of ${Object.keys(BENCHES).join(", ")}, got ${name}`);
  process.exitCode = 2;
} else {
  const { values } = parseArgs({
    args,
    strict: false,
    options: {
      rounds: { type: "string" },
      threads: { type: "string" },
      profile: { type: "boolean" },
      recompute: { type: "boolean" },
    },
  });
  const { rounds, threads, profile, recompute } = values;
  await bench(
    {
      rounds: Number(rounds ?? 5),
      threads: threads ? Number(threads) : undefined,
      profile: profile === true,
      recompute: recompute === true,
    },
    [...rest, ...args],
  );
}
