/** `flava plan RECIPE`: how long a step would take on machines that are not here. */
import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError } from "../errors.ts";
import type { Recipe } from "../pretrain/recipe/index.ts";
import type { Calibration, Machine, Prediction, WorkerShare } from "../pretrain/scaling/index.ts";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";

interface PlanOptions {
  readonly workers: readonly number[];
  readonly gbit: number;
  readonly latency: number;
  readonly perMachine: number;
  readonly stage?: string;
  readonly gflops?: number;
  readonly samples: number;
  readonly set?: readonly string[];
}

const EXAMPLES = `
Examples:
  flava plan recipes/starter.yaml --workers 1,2,4 --gbit 10
  flava plan recipes/flava-base.yaml --workers 64,512 --gbit 100
  flava plan recipes/flava-base.yaml --workers 64 --gflops 300000`;

/** Speeds and the like. */
function above0(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError("expected a number above 0");
  return value;
}

const several = (text: string): number[] => text.split(",").map(positive);
const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];

export function define(program: Command): void {
  program
    .command("plan")
    .summary("step time and efficiency on many workers")
    .description(
      "Predicts the step of a recipe's stage on workers that are not here: its arithmetic at the speed of a few small steps on this machine, and its messages on the network that is said.",
    )
    .argument("<recipe>", "a YAML file, or the recipe.json of a run")
    .option("--workers <list>", "how many workers, as 1,2,64", several, [1, 2, 4, 8])
    .option("--gbit <n>", "what a machine sends, in gigabits a second", above0, 100)
    .option("--latency <us>", "microseconds until a message has arrived", above0, 20)
    .option("--per-machine <n>", "workers of a machine: they share its processors, memory and connection", positive, 1)
    .option("--stage <name>", "the stage; the last unless said")
    .option("--gflops <n>", "a worker's speed in such steps, instead of measuring this machine's", above0)
    .option("--samples <n>", "samples of the larger of two measured steps", positive, 8)
    .option("--set <key=value>", "change a value of the recipe; may be given again", collect)
    .addHelpText("after", EXAMPLES)
    .action(action<PlanOptions>((io, [path], options) => plan(io, path!, options)));
}

/** Steps that are timed, after two that are not. */
const ROUNDS = 3;

async function plan(io: Io, path: string, options: PlanOptions): Promise<void> {
  const { resolveRecipe } = await import("../pretrain/recipe/index.ts");
  const { predict, shareOf } = await import("../pretrain/scaling/index.ts");
  const { asBuilt } = await import("../pretrain/run/preview.ts");
  const { recipe: asked } = await resolveRecipe(path, { set: [...(options.set ?? [])], tiny: false });
  const names = Object.keys(asked.stages);
  const stage = options.stage ?? names.at(-1)!;
  if (!names.includes(stage)) throw new ConfigError(`--stage: expected one of ${names.join(", ")}, got "${stage}"`);
  const { recipe, tokenizer } = await asBuilt(asked, { signal: io.signal, note: (line) => io.note(line) });
  if (!tokenizer)
    io.note("the vocabulary is not known before the data are there: it is taken to be as large as the full one");
  const shares: WorkerShare[] = [];
  for (const workers of [1, ...options.workers.filter((n) => n > 1)]) {
    io.signal.throwIfAborted();
    io.note(`tracing the step of one of ${workers} workers…`);
    shares.push(await shareOf(sharedOut(recipe, stage, workers), stage, workers));
  }
  const { gbit, latency, perMachine } = options;
  const { machine, calibration, alone } = await speeds(recipe, stage, options, io);
  const network = { bandwidth: (gbit * 1e9) / 8, latency: latency / 1e6, perMachine };
  const predictions = predict(shares[0]!, shares, { machine, lone: alone, network });
  const rows = predictions.map((one, i) => ({ ...one, ...shares[i]! }));
  const wanted = rows.filter(({ workers }) => options.workers.includes(workers));
  const batch = recipe.stages[stage]!.batchSize;
  io.result(
    [
      `${recipe.name}, ${stage}: ${batch.toLocaleString("en-US")} samples a step; ${speedLine(machine.speed, calibration, perMachine)}`,
      table(wanted.map((row) => cells(row, batch))),
      `${gbit} Gbit/s a machine, ${perMachine} workers on each, ${latency} µs a message; what is sent beside the arithmetic is not taken off`,
    ].join("\n"),
    {
      ...{ recipe: recipe.name, stage, batchSize: batch, speed: machine.speed },
      ...{ calibration, alone, network, predictions: wanted },
    },
  );
}

interface Speeds {
  readonly machine: Machine;
  /** Where it was measured: with as many workers as a machine has, and with one. */
  readonly calibration?: Calibration;
  readonly alone?: Calibration;
}

/** Runs hold a thread of libuv's pool each, and it has so many. */
const AT_ONCE = 4;

/** How fast a worker is beside the others of its machine, and alone: as `--gflops` says, or measured. */
async function speeds(recipe: Recipe, stage: string, options: PlanOptions, io: Io): Promise<Speeds> {
  const { gflops, samples, perMachine } = options;
  if (gflops !== undefined) return { machine: { fixed: 0, speed: gflops * 1e9 } };
  const { calibrate } = await import("../pretrain/scaling/index.ts");
  const one = { ...recipe, threads: recipe.threads || threadsOf(perMachine) };
  const timed = (atOnce: number): Promise<Calibration> => {
    io.note(`timing steps of up to ${samples} samples on this machine, ${atOnce} at once…`);
    return calibrate(one, stage, { samples, rounds: ROUNDS, atOnce, signal: io.signal });
  };
  const calibration = await timed(Math.min(perMachine, AT_ONCE));
  return { machine: calibration, calibration, alone: perMachine > 1 ? await timed(1) : calibration };
}

/** The recipe with so many micro-batches that they stay as large, where workers share the batch. */
function sharedOut(recipe: Recipe, name: string, workers: number): Recipe {
  const stage = recipe.stages[name]!;
  const gradientAccumulationSteps = Math.max(1, Math.floor(stage.gradientAccumulationSteps / workers));
  return { ...recipe, stages: { ...recipe.stages, [name]: { ...stage, gradientAccumulationSteps } } };
}

/** A worker's share of the processors here; 0, where it has all: that is the engine's own choice. */
const threadsOf = (perMachine: number): number =>
  perMachine === 1 ? 0 : Math.max(1, Math.floor(availableParallelism() / perMachine));

const speedLine = (speed: number, calibration: Calibration | undefined, atOnce: number): string => {
  if (!calibration) return `${digits(speed / 1e9)} GFLOP/s, as said`;
  const { timed, kind, fixed } = calibration;
  const steps = timed.map(({ samples, seconds }) => `${samples} in ${digits(seconds)} s`).join(", ");
  const together = atOnce > 1 ? `, ${Math.min(atOnce, AT_ONCE)} at once` : "";
  return `measured here on batches of kind ${kind} (${steps}${together}): ${digits(speed / 1e9)} GFLOP/s and ${digits(fixed)} s beside them`;
};

const digits = (x: number): string => Number(x.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });

const BOTTLENECKS: Readonly<Record<Prediction["bottleneck"], string>> = {
  repeated: "work that every worker repeats",
  transfer: "bytes on the network",
  waiting: "messages' latency",
  nothing: "–",
};

const HEAD = [
  "workers",
  "samples each",
  "step s",
  "shared s",
  "repeated s",
  "bytes s",
  "latency s",
  "samples/s",
  "efficiency",
  "MB sent",
  "GiB each",
  "costs most",
];

const cells = (row: Prediction & WorkerShare, batch: number): string[] => [
  row.workers.toLocaleString("en-US"),
  row.samples.toLocaleString("en-US"),
  ...[row.step, row.shared, row.repeated, row.transfer, row.waiting].map(digits),
  digits(batch / row.step),
  row.efficiency.toFixed(3),
  digits(row.sent / 1e6),
  digits(row.memoryBytes / 2 ** 30),
  BOTTLENECKS[row.bottleneck],
];

function table(rows: readonly (readonly string[])[]): string {
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join("  ")).join("\n");
}
