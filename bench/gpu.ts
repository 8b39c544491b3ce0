/**
 * What a GPU does with FLAVA through XLA, or (--platform webgpu, float32) through ONNX Runtime's WebGPU, a part a process (bench/gpu.sh): one
 * line of JSON on stdout each.
 *   tiny     the golden tiny model: losses and gradients against the interpreter, in float32 and with bfloat16 products
 *   matmul   the speed of a large product: what the shares below are shares of
 *   step     the joint step of FLAVA-base (of the tiny model with --rehearse): time, memory, compile time
 */
import { parseArgs } from "node:util";
import { cast, costOf, graph, input, matmul, mul, sum, type Value } from "../src/graph/index.ts";
import type { PrecisionOptions } from "../src/graph/passes/index.ts";
import { variants } from "../src/models/flava/index.ts";
import { gradients } from "../src/optim/index.ts";
import { type Buffer, compile, type Device } from "../src/runtime/index.ts";
import { openNodeWebGpu } from "../src/runtime/onnxruntime/webgpu/device.ts";
import { openXla } from "../src/runtime/xla/device.ts";
import type { Platform } from "../src/runtime/xla/find.ts";
import { type Tensor, toNumbers } from "../src/tensor/index.ts";
import { evaluate, evaluateOn, norm } from "../test/golden/run.ts";
import {
  pairCase,
  pairExpectations,
  sizesOf,
  tinyBatch,
  tinyConfig,
  tinyParameters,
} from "../test/golden/tiny-case.ts";
import { baseSizes, type JointSizes, jointFeeds, jointStep, stepScalars } from "./joint.ts";
import { median, noise, say, seconds } from "./measure.ts";

const { positionals, values: given } = parseArgs({
  allowPositionals: true,
  options: {
    platform: { type: "string", default: "cuda" },
    library: { type: "string" },
    batch: { type: "string", default: "64" },
    dtype: { type: "string", default: "bf16" },
    /** bf16 only: what products give. */
    results: { type: "string", default: "bfloat16" },
    seconds: { type: "string", default: "12" },
    rehearse: { type: "boolean", default: false },
  },
});

type Line = Readonly<Record<string, string | number | boolean | readonly number[] | undefined>>;
const print = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const round = (x: number, digits = 3): number => Number(x.toFixed(digits));
const GIB = 2 ** 30;

const low: PrecisionOptions = { results: given.results === "float32" ? "float32" : "bfloat16" };

const isWebGpu = given.platform === "webgpu";

async function tiny(device: Device): Promise<void> {
  const e = pairExpectations[0]!;
  const c = pairCase(tinyConfig, sizesOf(e));
  const losses = { loss: c.objective.loss, ...c.objective.losses };
  const values: Record<string, Value> = { ...losses, ...gradients(c.objective.loss, c.params.values()) };
  const feeds = { ...tinyBatch(e.itmLabels), ...tinyParameters(c.params.specs()) };
  const exact = evaluate(values, feeds);
  for (const [dtype, options, bound] of [
    ["fp32", {}, 1e-4],
    ["bf16", { precision: low }, 8e-2],
  ] as const) {
    if (isWebGpu && dtype === "bf16") continue;
    const found = await evaluateOn(device, values, feeds, options);
    const error = (name: string): number => {
      const t = exact[name]!;
      return norm({ ...t, data: t.data.map((x, i) => x - Number(found[name]!.data[i])) }) / (norm(t) || 1);
    };
    const names = Object.keys(values).filter((name) => !name.endsWith("key.bias"));
    const worst = names.reduce((a, b) => (error(a) > error(b) ? a : b));
    print({
      part: "tiny",
      dtype,
      ok: error(worst) < bound,
      worst_relative_error: error(worst),
      of: worst,
      loss: toNumbers(found.loss!)[0]!,
      reference_loss: e.total,
    });
  }
}

/** FLOP/s of a chain of square products, each the operand of the next. */
async function product(device: Device, n: number, dtype: string): Promise<number> {
  const CHAIN = 16;
  const [x, w] = [input("x", [n, n]), input("w", [n, n])];
  const to = dtype === "bf16" ? ("bfloat16" as const) : ("float32" as const);
  let y = cast(x, to);
  const right = cast(w, to);
  for (let i = 0; i < CHAIN; i++) y = cast(matmul(y, right), to);
  using executable = await compile(graph("products", { y: sum(mul(cast(y, "float32"), 1 / n)) }), device);
  const feeds = { x: device.upload(noise("x", [n, n])), w: device.upload(noise("w", [n, n])) };
  const times: number[] = [];
  for (let i = 0; i < 8; i++) times.push(await seconds(() => executable.run(feeds)));
  for (const buffer of Object.values(feeds)) buffer.dispose();
  return (CHAIN * 2 * n ** 3) / median(times.slice(2));
}

async function products(device: Device): Promise<void> {
  for (const dtype of isWebGpu ? ["fp32"] : ["bf16", "fp32"]) {
    const n = given.rehearse ? 256 : dtype === "bf16" ? 8192 : 4096;
    print({ part: "matmul", dtype, n, tflops: round((await product(device, n, dtype)) / 1e12, 2) });
  }
}

async function step(device: Device): Promise<void> {
  const batch = Number(given.batch);
  const sizes: JointSizes = given.rehearse
    ? { config: variants.tiny, batch, textLength: 12, maskedPatches: 6, maskedTokens: 3 }
    : { config: variants.base, batch, ...baseSizes };
  const joint = await jointStep(device, sizes, given.dtype === "bf16" ? { precision: low } : {});
  say(`compiled ${joint.step.graph.nodes.length} values in ${joint.compileSeconds.toFixed(1)} s`);
  const host = jointFeeds(sizes);
  const feeds: Record<string, Buffer> = {};
  for (const [name, t] of Object.entries(host)) if (joint.step.feeds.includes(name)) feeds[name] = device.upload(t);
  const losses: number[] = [];
  let count = 0;
  const once = async (batchFeeds: Readonly<Record<string, Tensor | Buffer>>): Promise<number> =>
    seconds(async () => {
      const { loss } = await joint.step.run({ ...batchFeeds, ...stepScalars(++count) });
      losses.push(Number(loss!.data[0]));
    });
  const first = await once(feeds);
  const times = await repeat(() => once(feeds), Number(given.seconds));
  const wanted = Object.fromEntries(Object.keys(feeds).map((name) => [name, host[name]!]));
  const fromHost = await repeat(() => once(wanted), Number(given.seconds) / 4);
  const flops = costOf(joint.step.graph).byOp;
  const products = (["matmul", "conv2d", "conv2dInputGrad", "conv2dWeightGrad"] as const).reduce(
    (total, op) => total + (flops[op]?.flops ?? 0),
    0,
  );
  const memory = device.memory?.();
  print({
    part: "step",
    lane: device.name,
    device: device.description,
    batch,
    dtype: given.dtype,
    ...(given.dtype === "bf16" ? { results: low.results } : {}),
    ms: round(1000 * median(times)),
    samples_per_s: round(batch / median(times), 1),
    samples_per_s_host_feeds: round(batch / median(fromHost), 1),
    tflops: round(products / median(times) / 1e12, 2),
    gflop_per_sample: round(products / batch / 1e9, 1),
    peak_gib: memory?.peak === undefined ? undefined : round(memory.peak / GIB, 2),
    compile_s: round(joint.compileSeconds, 1),
    first_step_s: round(first),
    steps: times.length,
    values: joint.step.graph.nodes.length,
    losses: [losses[0]!, losses.at(-1)!].map((x) => round(x, 5)),
  });
}

/** Times of calls for some seconds, at least three, after one to warm up. */
async function repeat(call: () => Promise<number>, forSeconds: number): Promise<number[]> {
  await call();
  const times: number[] = [];
  for (const end = performance.now() + 1000 * forSeconds; times.length < 3 || performance.now() < end; )
    times.push(await call());
  return times;
}

const PARTS: Readonly<Record<string, (device: Device) => Promise<void>>> = { tiny, matmul: products, step };
const part = PARTS[positionals[0] ?? ""];
if (!part) throw new Error(`gpu: expected one of ${Object.keys(PARTS).join(", ")}, got ${positionals[0]}`);
const start = performance.now();
const device: Device = isWebGpu
  ? await openNodeWebGpu(given.library === undefined ? {} : { library: given.library })
  : await openXla(given.platform as Platform, { library: given.library, preallocate: true, memoryFraction: 0.92 });
say(`${device.description}, opened in ${((performance.now() - start) / 1000).toFixed(1)} s`);
await part(device);
