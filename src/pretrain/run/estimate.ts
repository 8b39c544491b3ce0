/** About how long stages take: their operations by the speed that a layer has on this machine, as it is now. */
import { gelu, graph, input, matmul } from "../../graph/index.ts";
import { compile, type Device, openDevice } from "../../runtime/index.ts";
import { tensor } from "../../tensor/index.ts";
import type { Recipe, StageMeasure } from "../recipe/index.ts";
import type { StageBase, StagePlan } from "../stages/stage.ts";

const [ROWS, WIDTH] = [2048, 192];
const MEASURE_MS = 400;

/** A step reaches this share of what two products in a row reach: normalisation, softmax, moments and small products take the rest. */
const STEP_SHARE = 0.4;
/** What a node costs beside its arithmetic: in each step, and once to be lowered and prepared. */
const NODE_SECONDS = 8e-6;
const PREPARE_NODE_SECONDS = 2.5e-4;

/** Operations a second of a feed-forward layer on the device that the recipe names. */
export async function measureSpeed({ device: name, threads }: Pick<Recipe, "device" | "threads">): Promise<number> {
  const device = await openDevice(name, threads ? { threads } : {});
  return layerSpeed(device);
}

/** The same on a device. */
export async function layerSpeed(device: Device): Promise<number> {
  const x = input("x", [ROWS, WIDTH]);
  const y = matmul(gelu(matmul(x, input("up", [WIDTH, 4 * WIDTH]))), input("down", [4 * WIDTH, WIDTH]));
  using program = await compile(graph("speed", { y }), device, { purpose: "training" });
  const fill = (shape: readonly number[], value: number) =>
    tensor("float32", shape, new Float32Array(shape[0]! * shape[1]!).fill(value));
  const feeds = {
    x: fill([ROWS, WIDTH], 0.1),
    up: fill([WIDTH, 4 * WIDTH], 0.01),
    down: fill([4 * WIDTH, WIDTH], 0.01),
  };
  await program.run(feeds);
  const begun = performance.now();
  let runs = 0;
  for (; runs === 0 || performance.now() - begun < MEASURE_MS; runs++) await program.run(feeds);
  return (runs * 2 * 2 * ROWS * WIDTH * 4 * WIDTH) / ((performance.now() - begun) / 1000);
}

/** Seconds of a stage's steps and of making its graphs, at a speed in operations a second. Data, evaluations and pictures are not in it. */
export function estimateSeconds(
  { steps }: StageBase,
  { datasets }: StagePlan,
  { flops = {}, nodes = {} }: StageMeasure,
  speed: number,
): number {
  const total = datasets.reduce((sum, { ratio = 1 }) => sum + ratio, 0);
  const step = datasets.reduce((sum, { kind, ratio = 1 }) => {
    const seconds = (flops[kind] ?? 0) / (speed * STEP_SHARE) + (nodes[kind] ?? 0) * NODE_SECONDS;
    return sum + (ratio / total) * seconds;
  }, 0);
  const prepared = Object.values(nodes).reduce((sum, n) => sum + n, 0) * PREPARE_NODE_SECONDS;
  return steps * step + prepared;
}
