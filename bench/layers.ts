/**
 * How much of the engine's matrix-product speed a stack of ViT-B layers keeps: a training step (forward, backward, AdamW) and
 * a forward pass of 12 layers, batch 8, 197 tokens, each over a plain 1576 × 768 × 3072 product.
 */
import { graph, input, matmul, mul, sum } from "../src/graph/index.ts";
import { variants } from "../src/models/flava/index.ts";
import { encoderLayer, initialize, Params } from "../src/nn/index.ts";
import { adamw, adamwScalars, gradients } from "../src/optim/index.ts";
import { type CompileOptions, compile, type Device, type Executable, State } from "../src/runtime/index.ts";
import { scalar, type Tensor, zerosLike } from "../src/tensor/index.ts";
import { figure, interleave, median, medianRatio, noise, peakBytes, say } from "./measure.ts";

const BATCH = 8;
const N = 197;
const LAYERS = 12;
const config = variants.base.image;
const D = config.hiddenSize;
const F = config.intermediateSize;

/** Multiply–adds of the products of a forward pass, times two. */
export const forwardFlops = (batch: number): number =>
  LAYERS * (2 * batch * N * (4 * D * D + 2 * D * F) + 2 * 2 * batch * N * N * D);
const productFlops = 2 * BATCH * N * D * F;

/** What a pass reads. */
export const stackInput = (batch: number): Tensor<"float32"> => noise("x", [batch, N, D]);

function stack(batch: number) {
  const p = new Params();
  const states = [input("x", [batch, N, D])];
  for (let i = 0; i < LAYERS; i++) states.push(encoderLayer(p.at(`layer.${i}`), states[i]!, config));
  return { p, states, y: states[LAYERS]! };
}

/** The product alone; its result stays in the engine, as it would inside a graph. */
async function product(device: Device): Promise<Executable> {
  const state = new State(device);
  state.writeAll({ a: noise("a", [BATCH * N, D]), b: noise("b", [D, F]), y: zerosLike("float32", [BATCH * N, F]) });
  const y = matmul(input("a", [BATCH * N, D]), input("b", [D, F]));
  return compile({ name: "product", outputs: {}, updates: { y } }, device, { state });
}

interface StackOptions extends CompileOptions {
  readonly batch?: number;
  /** Whether the activations inside a layer are computed again in the backward pass. */
  readonly recompute?: boolean;
}

/** Forward, backward and AdamW. */
export async function training(device: Device, given: StackOptions = {}): Promise<Executable> {
  const { batch = BATCH, recompute = false, state = new State(device), ...options } = given;
  const { p, states, y } = stack(batch);
  const params = p.values();
  const loss = mul(sum(mul(y, y)), 1 / (batch * N * D));
  const update = adamw(params, gradients(loss, params, { checkpoints: recompute ? states : [] }), { weightDecay: 0.1 });
  state.writeAll({ ...initialize(p.specs(), 1), ...update.initial });
  return compile({ name: "step", outputs: { loss }, updates: update.updates }, device, { ...options, state });
}

/** A forward pass, its weights inside. */
export async function forward(device: Device, { batch = BATCH, ...options }: StackOptions = {}): Promise<Executable> {
  const { p, y } = stack(batch);
  return compile(graph("forward", { y }), device, { ...options, weights: initialize(p.specs(), 1) });
}

/** What a training step is fed beside its input. */
export const scalars: Record<string, Tensor> = Object.fromEntries(
  Object.entries(adamwScalars(10, 1e-4)).map(([name, v]) => [name, scalar(v)]),
);

/** Prints `train_over_matmul` and `forward_over_matmul`. */
export async function layers(device: Device, rounds: number): Promise<void> {
  const x = stackInput(BATCH);
  const [plain, step, pass] = [await product(device), await training(device), await forward(device)];
  const repeat = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await plain.run({});
  };
  const times = await interleave([repeat, () => step.run({ x, ...scalars }), () => pass.run({ x })], rounds);
  const [tProduct, tStep, tPass] = [times[0]!.map((t) => t / 20), times[1]!, times[2]!] as const;
  const gflops = (flops: number, t: readonly number[]): string => (flops / median(t) / 1e9).toFixed(0);
  say(
    `product ${gflops(productFlops, tProduct)} GFLOP/s, forward ${gflops(forwardFlops(BATCH), tPass)}, training ${gflops(3 * forwardFlops(BATCH), tStep)}`,
  );
  figure("train_over_matmul", ((3 * forwardFlops(BATCH)) / productFlops) * medianRatio(tProduct, tStep));
  figure("forward_over_matmul", (forwardFlops(BATCH) / productFlops) * medianRatio(tProduct, tPass));
  for (const e of [plain, step, pass]) e.dispose();
}

/**
 * Prints `recompute_peak_gib`, the peak memory of the process when the training step computes activations again, parameters
 * and moments included; `recompute_peak_ratio` and `recompute_time_ratio`, over the step that keeps them.
 */
export async function recomputation(device: Device, rounds: number): Promise<void> {
  const x = stackInput(BATCH);
  const peakOf = async (step: Executable): Promise<number> => {
    for (let i = 0; i < 2; i++) await step.run({ x, ...scalars });
    return peakBytes() / 2 ** 30;
  };
  using state = new State(device);
  const lean = await training(device, { state, recompute: true });
  const leanPeak = await peakOf(lean);
  lean.dispose();
  const plain = await training(device, { state }); // the larger one second: a process never forgets its peak
  const plainPeak = await peakOf(plain);
  say(`peak memory: ${leanPeak.toFixed(2)} GiB with recomputation, ${plainPeak.toFixed(2)} GiB without`);
  const again = await training(device, { state, recompute: true });
  const works = [again, plain].map((step) => () => step.run({ x, ...scalars }));
  const [leanTimes, plainTimes] = (await interleave(works, rounds)) as [number[], number[]];
  figure("recompute_peak_gib", leanPeak, 2);
  figure("recompute_peak_ratio", leanPeak / plainPeak);
  figure("recompute_time_ratio", medianRatio(leanTimes, plainTimes));
  for (const step of [again, plain]) step.dispose();
}
