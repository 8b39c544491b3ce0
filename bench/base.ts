/**
 * One joint step of FLAVA-base on a paired batch (8 pairs, 224 px, 77 tokens, all five losses, AdamW on every parameter): its
 * time, its peak memory, and the native engine beside the JavaScript one on the same step.
 */
import { pairBatch, pretrainPairs, variants } from "../src/models/flava/index.ts";
import { initialTensor, Params } from "../src/nn/index.ts";
import { pairObjective } from "../src/objectives/index.ts";
import { adamw, adamwScalars, gradients as gradientsOf } from "../src/optim/index.ts";
import { compile, type Device, type Executable, openDevice, State } from "../src/runtime/index.ts";
import { fromNumbers, random, scalar, type Tensor } from "../src/tensor/index.ts";
import { figure, median, noise, peakBytes, say, seconds } from "./measure.ts";

const B = 8;
const T = 77;
const MASKED_PATCHES = 75;
const MASKED_TOKENS = 12;
const config = variants.base;

/** Random pixels and ids of the right kinds: the arithmetic does not depend on them. */
function batch(): Record<string, Tensor> {
  const rng = random(1, "bench:batch");
  const integers = (n: number, below: number): number[] => Array.from({ length: n }, () => rng.integer(below));
  const P = (config.image.imageSize / config.image.patchSize) ** 2;
  const masked = Array.from({ length: B }, () => integers(MASKED_PATCHES, P));
  const mask = fromNumbers(new Array(B * P).fill(0), [B, P], "bool");
  masked.forEach((row, b) => {
    for (const i of row) mask.data[b * P + i] = 1;
  });
  const pixels = noise("codebook", [B, 3, 112, 112]);
  return {
    pixel_values: noise("pixels", [B, 3, 224, 224]),
    codebook_pixel_values: { ...pixels, data: pixels.data.map((x) => 0.5 + 0.8 * x) },
    bool_masked_pos: mask,
    mim_positions: fromNumbers(masked.flat(), [B, MASKED_PATCHES], "int32"),
    mim_position_mask: fromNumbers(new Array(B * MASKED_PATCHES).fill(1), [B, MASKED_PATCHES], "bool"),
    input_ids: fromNumbers(integers(B * T, 30522), [B, T], "int32"),
    input_ids_masked: fromNumbers(integers(B * T, 30522), [B, T], "int32"),
    attention_mask: fromNumbers(new Array(B * T).fill(1), [B, T], "int32"),
    mlm_positions: fromNumbers(integers(B * MASKED_TOKENS, T), [B, MASKED_TOKENS], "int32"),
    mlm_targets: fromNumbers(integers(B * MASKED_TOKENS, 30522), [B, MASKED_TOKENS], "int32"),
    itm_labels: fromNumbers([1, 1, 1, 1, 1, 1, 0, 1], [B], "int32"),
  };
}

async function jointStep(device: Device, profile?: string): Promise<{ step: Executable; state: State }> {
  const sizes = { batch: B, textLength: T, maskedPatches: MASKED_PATCHES, maskedTokens: MASKED_TOKENS };
  const p = new Params();
  const values = pretrainPairs(p, config, pairBatch(config, sizes));
  const { loss } = pairObjective(values);
  const params = p.values();
  const update = adamw(params, gradientsOf(loss, params), { weightDecay: 0.1, clip: { globalNorm: 1 } });
  const state = new State(device);
  for (const spec of p.specs()) state.write(spec.name, initialTensor(spec, 1));
  state.writeAll(update.initial);
  const start = performance.now();
  const options = { state, ...(profile ? { profile } : {}) };
  const step = await compile(
    { name: "joint", outputs: { loss, grad_norm: update.gradNorm }, updates: update.updates },
    device,
    options,
  );
  say(
    `${device.description}: ${step.graph.nodes.length} values, compiled in ${((performance.now() - start) / 1000).toFixed(1)} s; ` +
      `${step.inPlace.size} of ${step.updates.length} state tensors in place; state ${(state.sizeBytes / 2 ** 30).toFixed(2)} GiB`,
  );
  return { step, state };
}

async function timeSteps(step: Executable, rounds: number): Promise<number> {
  const feeds = batch();
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const scalars = Object.fromEntries(
      Object.entries(adamwScalars(round + 1, 1e-4)).map(([name, v]) => [name, scalar(v)]),
    );
    let loss = Number.NaN;
    const t = await seconds(async () => {
      loss = Number((await step.run({ ...feeds, ...scalars })).loss!.data[0]);
    });
    say(`  step ${round + 1}: loss ${loss.toFixed(4)}, ${t.toFixed(2)} s${round === 0 ? " (warm-up)" : ""}`);
    if (round > 0) times.push(t);
  }
  return median(times);
}

/** Runs the step with ONNX Runtime's profiler, which slows it a little, and gives the profile's path. */
export async function profileBase(device: Device, rounds: number, prefix: string): Promise<string> {
  const { step, state } = await jointStep(device, prefix);
  await timeSteps(step, rounds);
  const file = step.endProfiling();
  step.dispose();
  state.dispose();
  return file;
}

/** Prints `flava_base_step_s`, `flava_base_step_gib` and `native_over_js`. */
export async function base(device: Device, rounds: number): Promise<void> {
  const native = await jointStep(device);
  const nativeSeconds = await timeSteps(native.step, rounds);
  figure("flava_base_step_s", nativeSeconds);
  figure("flava_base_step_gib", peakBytes() / 2 ** 30, 2);
  native.step.dispose();
  native.state.dispose();
  const js = await jointStep(await openDevice("cpu-js"));
  figure("native_over_js", (await timeSteps(js.step, Math.min(rounds, 2))) / nativeSeconds);
  js.step.dispose();
  js.state.dispose();
}
