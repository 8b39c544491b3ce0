/** This package's devices as lanes: float32 where a device has it, bfloat16 and 8 bits where it has those. */
import { input, matmul } from "../../src/graph/index.ts";
import { variants } from "../../src/models/flava/index.ts";
import { type CompileOptions, compile, type Device, openDevice, State } from "../../src/runtime/index.ts";
import { type Shape, zerosLike } from "../../src/tensor/index.ts";
import { baseSizes, jointFeeds, jointStep, stepScalars } from "../joint.ts";
import { forward, scalars, stackInput, training } from "../layers.ts";
import { isEngineError, noise, say, seconds } from "../measure.ts";
import type { Lane, ProductShape, Runner, Times, Work } from "./work.ts";

type Options = Pick<CompileOptions, "precision" | "dtype">;
const BF16: Options = { precision: { results: "bfloat16" } };

/** Devices and the ways in which they compute. */
const WAYS = {
  cpu: { fp32: {}, q8: { dtype: "q8" } },
  openvino: { fp32: {}, bf16: BF16 },
  "xla:cpu": { fp32: {}, bf16: BF16 },
} as const satisfies Record<string, Record<string, Options>>;

/** The lanes of the devices that are here; a line for each device that is not. */
export async function openLanes(threads: number | undefined): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (const [name, ways] of Object.entries(WAYS) as [keyof typeof WAYS, Record<string, Options>][])
    try {
      const device = await openDevice(name, threads && name !== "xla:cpu" ? { threads } : {});
      for (const [precision, options] of Object.entries(ways)) lanes.push(laneOf(device, precision, options));
    } catch (error) {
      if (!isEngineError(error)) throw error;
      say(`${name} is not here: ${error.message.split("\n")[0]}`);
    }
  return lanes;
}

const laneOf = (device: Device, precision: string, options: Options): Lane => ({
  name: `${device.name} ${precision}`,
  async prepare(work) {
    if (options.dtype !== undefined && work.kind !== "forward") return undefined; // 8 bits are for inference
    if (work.kind === "product") return product(device, work.shape, options);
    return work.kind === "flava" ? flava(device, work.batch, options) : stack(device, work, options);
  },
});

const operands = ({ form, rows, inner, out }: ProductShape): readonly [a: Shape, b: Shape, y: Shape] => {
  const N = Math.max(inner, out);
  if (form === "scores")
    return [
      [rows, N, inner],
      [rows, N, inner],
      [rows, N, N],
    ];
  if (form === "context")
    return [
      [rows, N, N],
      [rows, N, out],
      [rows, N, out],
    ];
  if (form === "forward")
    return [
      [rows, inner],
      [out, inner],
      [rows, out],
    ];
  if (form === "inputGradient")
    return [
      [rows, out],
      [out, inner],
      [rows, inner],
    ];
  return [
    [rows, out],
    [rows, inner],
    [out, inner],
  ];
};

/** Times of one of `count` alike works that are done one after another. */
async function timed(work: () => Promise<unknown>, count = 1): Promise<Times> {
  const start = process.cpuUsage();
  const wall = (await seconds(work)) / count;
  const { user, system } = process.cpuUsage(start);
  return { wall, processor: (user + system) / 1e6 / count };
}

/** Of many a run, so that what a run costs beside them does not count. The result stays in the engine. */
const REPEATS = 10;

async function product(device: Device, shape: ProductShape, options: Options): Promise<Runner> {
  const [a, b, y] = operands(shape);
  const state = new State(device);
  state.writeAll({ a: noise("a", a), b: noise("b", b), y: zerosLike("float32", y) });
  const transposes = { transposeA: shape.form === "weightGradient", transposeB: /forward|scores/.test(shape.form) };
  const value = matmul(input("a", a), input("b", b), transposes);
  const run = await compile({ name: "product", outputs: {}, updates: { y: value } }, device, { state, ...options });
  const many = async (): Promise<void> => {
    for (let i = 0; i < REPEATS; i++) await run.run({});
  };
  return {
    run: () => timed(many, REPEATS),
    dispose() {
      run.dispose();
      state.dispose();
    },
  };
}

async function stack(device: Device, { kind, batch }: Work & { batch: number }, options: Options): Promise<Runner> {
  const state = new State(device);
  const trains = kind === "training";
  const run = await (trains ? training(device, { batch, state, ...options }) : forward(device, { batch, ...options }));
  const feeds = { x: stackInput(batch), ...(trains ? scalars : {}) };
  return {
    run: () => timed(() => run.run(feeds)),
    dispose() {
      run.dispose();
      state.dispose();
    },
  };
}

async function flava(device: Device, batch: number, options: Options): Promise<Runner> {
  const sizes = { config: variants.base, batch, ...baseSizes };
  const { step, state, compileSeconds } = await jointStep(device, sizes, options);
  say(`  ${device.name}: compiled in ${compileSeconds.toFixed(1)} s`);
  const feeds = jointFeeds(sizes);
  let count = 0;
  return {
    run: () => timed(() => step.run({ ...feeds, ...stepScalars(++count) })),
    dispose() {
      step.dispose();
      state.dispose();
    },
  };
}
