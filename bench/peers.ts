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
import type { Lane, Runner, Work } from "./peers/work.ts";
import { flavaWork, productWorks, stackWork } from "./peers/works.ts";

/** What every other is compared with. */
const YARDSTICK = "torch fp32";

/** Prints `peers_<work>_<lane>_over_torch_fp32`, speed over speed, for each lane that is here. */
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
  readonly times: number[];
}

/** One work on all lanes in turn, round by round after a warm-up. */
async function compare(work: Work, lanes: readonly Lane[], rounds: number): Promise<void> {
  const entrants: Entrant[] = [];
  say(`\n${work.title}`);
  for (const lane of lanes) {
    const runner = await prepare(lane, work);
    if (runner) entrants.push({ lane, runner, times: [] });
  }
  for (let round = 0; round <= rounds; round++)
    for (const { runner, times } of entrants) {
      const seconds = await runner.run();
      if (round > 0) times.push(seconds);
    }
  report(work, entrants);
  for (const { runner } of entrants) await runner.dispose();
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
    const speeds = times.map((t) => flops / t / 1e9);
    const ratios = yardstick ? times.map((t, i) => yardstick[i]! / t) : [];
    const range = (values: readonly number[], digits: number): string =>
      `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
    const beside = ratios.length > 0 ? `, ${range(ratios, 2)} × ${YARDSTICK}` : "";
    say(
      `  ${lane.name.padEnd(20)} ${(1000 * median(times)).toFixed(1).padStart(9)} ms  ${range(speeds, 0)} GFLOP/s${beside}`,
    );
    if (ratios.length > 0 && lane.name !== YARDSTICK)
      figure(`peers_${name}_${lane.name.replaceAll(/[ :]/g, "_")}_over_torch_fp32`, median(ratios), 2);
  }
}
