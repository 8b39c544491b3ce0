/**
 * One joint step of FLAVA-base on a paired batch (8 pairs, 224 px, 77 tokens, all five losses, AdamW on every parameter): its
 * time, its peak memory, and the native engine beside the JavaScript one on the same step.
 */
import { variants } from "../src/models/flava/index.ts";
import { type Device, type Executable, openDevice } from "../src/runtime/index.ts";
import { baseSizes, type Joint, type JointSizes, jointFeeds, jointStep, stepScalars } from "./joint.ts";
import { figure, median, peakBytes, say, seconds } from "./measure.ts";

const SIZES: JointSizes = { config: variants.base, batch: 8, ...baseSizes };

async function baseStep(device: Device, profile?: string): Promise<Joint> {
  const joint = await jointStep(device, SIZES, profile ? { profile } : {});
  const { step, state, compileSeconds } = joint;
  say(
    `${device.description}: ${step.graph.nodes.length} values, compiled in ${compileSeconds.toFixed(1)} s; ` +
      `${step.inPlace.size} of ${step.updates.length} state tensors in place; state ${(state.sizeBytes / 2 ** 30).toFixed(2)} GiB`,
  );
  return joint;
}

async function timeSteps(step: Executable, rounds: number): Promise<number> {
  const feeds = jointFeeds(SIZES);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    let loss = Number.NaN;
    const t = await seconds(async () => {
      loss = Number((await step.run({ ...feeds, ...stepScalars(round + 1) })).loss!.data[0]);
    });
    say(`  step ${round + 1}: loss ${loss.toFixed(4)}, ${t.toFixed(2)} s${round === 0 ? " (warm-up)" : ""}`);
    if (round > 0) times.push(t);
  }
  return median(times);
}

/** Runs the step with ONNX Runtime's profiler, which slows it a little, and gives the profile's path. */
export async function profileBase(device: Device, rounds: number, prefix: string): Promise<string> {
  const { step, state } = await baseStep(device, prefix);
  await timeSteps(step, rounds);
  const file = step.endProfiling();
  step.dispose();
  state.dispose();
  return file;
}

/** Prints `flava_base_step_s`, `flava_base_step_gib` and `native_over_js`. */
export async function base(device: Device, rounds: number): Promise<void> {
  const native = await baseStep(device);
  const nativeSeconds = await timeSteps(native.step, rounds);
  figure("flava_base_step_s", nativeSeconds);
  figure("flava_base_step_gib", peakBytes() / 2 ** 30, 2);
  native.step.dispose();
  native.state.dispose();
  const js = await baseStep(await openDevice("cpu-js"));
  figure("native_over_js", (await timeSteps(js.step, Math.min(rounds, 2))) / nativeSeconds);
  js.step.dispose();
  js.state.dispose();
}
