/**
 * `npm run bench peers`: this package's devices and PyTorch on the same work in turn, in one sitting: single products of a ViT-B step,
 * 12 ViT-B layers forward and in training, and a joint step of FLAVA-base beside Hugging Face's. PyTorch runs in a Python that has it:
 * `-- --python PATH`, else `python3`. `--works forward,training,flava,products` and `--lanes "cpu,xla:cpu,torch bf16"` choose; `--batch N` and
 * `--flava-batch N` say the batches (8 and 2).
 */
import { parseArgs } from "node:util";
import { figure, isEngineError, median, say } from "./measure.ts";
import { openLanes } from "./peers/lanes.ts";
import { openTorch } from "./peers/torch.ts";
import type { Lane, Runner, Times, Work } from "./peers/work.ts";
import { flavaWork, productWorks, stackWork } from "./peers/works.ts";

/** What every other is compared with. */
const YARDSTICK = "torch fp32";

/** Prints `peers_<work>_<lane>_over_torch_fp32`, speed over speed, for each lane that is here, and the same by processor time. */
export async function peers(rounds: number, threads: number | undefined, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    strict: false,
    options: {
      python: { type: "string", default: "python3" },
      works: { type: "string", default: "products,forward,training,flava" },
      lanes: { type: "string" },
      batch: { type: "string", default: "8" },
      "flava-batch": { type: "string", default: "2" },
    },
  });
  const chosen = String(values.works).split(",");
  const batch = Number(values.batch);
  const works = [
    ...(chosen.includes("products") ? productWorks(batch) : []),
    ...(chosen.includes("forward") ? [stackWork("forward", batch)] : []),
    ...(chosen.includes("training") ? [stackWork("training", batch)] : []),
    ...(chosen.includes("flava") ? [flavaWork(Number(values["flava-batch"]))] : []),
  ];
  await using torch = await openTorch(String(values.python), threads);
  const wanted = values.lanes === undefined ? undefined : String(values.lanes).split(",");
  const lanes = [...(await openLanes(threads)), ...torch.lanes].filter(
    ({ name }) => wanted?.some((one) => one === name || one === name.split(" ")[0]) ?? true,
  );
  for (const work of works) await compare(work, lanes, rounds);
}

interface Entrant {
  readonly lane: Lane;
  readonly runner: Runner;
  readonly times: Times[];
}

/** One work on all lanes. */
async function compare(work: Work, lanes: readonly Lane[], rounds: number): Promise<void> {
  say(`\n${work.title}`);
  const groups = work.kind === "flava" ? lanes.map((lane) => [lane]) : [lanes]; // two of FLAVA-base take 15 GiB
  const entrants: Entrant[] = [];
  for (const group of groups) entrants.push(...(await race(work, group, rounds)));
  report(work, entrants);
}

/** In turn, round by round after a warm-up. */
async function race(work: Work, lanes: readonly Lane[], rounds: number): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const lane of lanes) {
    const runner = await prepare(lane, work);
    if (runner) entrants.push({ lane, runner, times: [] });
  }
  for (let round = 0; round <= rounds; round++)
    for (const { runner, times } of entrants) {
      const taken = await runner.run();
      if (round > 0) times.push(taken);
    }
  for (const { runner } of entrants) await runner.dispose();
  return entrants;
}

async function prepare(lane: Lane, work: Work): Promise<Runner | undefined> {
  try {
    return await lane.prepare(work);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    say(`  ${lane.name}: ${error.message}`);
    return undefined;
  }
}

function report({ name, flops }: Work, entrants: readonly Entrant[]): void {
  const yardstick = entrants.find(({ lane }) => lane.name === YARDSTICK)?.times;
  for (const { lane, times } of entrants) {
    const ms = 1000 * median(times.map(({ wall }) => wall));
    const speeds = times.map(({ wall }) => flops / wall / 1e9);
    say(`  ${lane.name.padEnd(20)} ${ms.toFixed(1).padStart(9)} ms  ${range(speeds, 0)} GFLOP/s`);
    if (!yardstick || lane.name === YARDSTICK) continue;
    for (const kind of ["wall", "processor"] as const) {
      const ratios = times.map((t, i) => yardstick[i]![kind] / t[kind]);
      const best = Math.min(...yardstick.map((t) => t[kind])) / Math.min(...times.map((t) => t[kind]));
      say(`${" ".repeat(23)}${range(ratios, 2)} × ${YARDSTICK} by ${kind} time, ${best.toFixed(2)} by the best rounds`);
      const suffix = kind === "wall" ? "" : "_by_processor";
      figure(`peers_${name}_${lane.name.replaceAll(/[ :]/g, "_")}_over_torch_fp32${suffix}`, median(ratios), 2);
    }
  }
}

const range = (values: readonly number[], digits: number): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
