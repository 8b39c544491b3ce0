/** AdamW steps of the tiny FLAVA on a device, for comparing devices. */
import { adamw, adamwScalars, gradients } from "../../src/optim/index.ts";
import { compile, type Device, State } from "../../src/runtime/index.ts";
import { scalar, toNumbers } from "../../src/tensor/index.ts";
import { singles } from "./run.ts";
import { pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters } from "./tiny-case.ts";

export interface Trained {
  /** Loss and gradient norm of each step. */
  readonly losses: number[];
  readonly weights: number[][];
  /** Parameters and moments. */
  readonly state: Readonly<Record<string, number[]>>;
  readonly inPlace: number;
  readonly updates: number;
}

/** How it trains: four steps in float32 unless said. */
export interface TrainOptions {
  readonly bfloat16?: boolean;
  readonly steps?: number;
  readonly onStep?: () => void;
}

/** Losses at each AdamW step, and the parameters after them. */
export async function train(
  device: Device,
  { bfloat16 = false, steps = 4, onStep }: TrainOptions = {},
): Promise<Trained> {
  const c = pairCase(tinyConfig, sizesOf(pairExpectations[0]!));
  const params = c.params.values();
  const update = adamw(params, gradients(c.objective.loss, params), { weightDecay: 0.1, clip: { globalNorm: 1 } });
  using state = new State(device);
  state.writeAll({ ...singles(tinyParameters(c.params.specs())), ...update.initial });
  const outputs = { loss: c.objective.loss, norm: update.gradNorm };
  using step = await compile({ name: "train", outputs, updates: update.updates }, device, {
    state,
    purpose: "training",
    ...(bfloat16 && { precision: {} }),
  });
  const batch = singles(tinyBatch(pairExpectations[0]!.itmLabels));
  const losses: number[] = [];
  for (let i = 1; i <= steps; i++) {
    const rates = Object.entries(adamwScalars(i, 1e-3)).map(([name, v]) => [name, scalar(v)]);
    const feeds = { ...batch, ...Object.fromEntries(rates) };
    const found = await step.run(Object.fromEntries(step.feeds.map((feed) => [feed, feeds[feed]!])));
    losses.push(toNumbers(found.loss!)[0]!, toNumbers(found.norm!)[0]!);
    onStep?.();
  }
  const names = ["flava.logit_scale", "flava.image_model.encoder.layer.0.attention.attention.query.weight"];
  const found: Record<string, number[]> = {};
  for (const name of state.names()) found[name] = toNumbers(await state.read(name));
  const weights = names.map((name) => found[name]!);
  return { losses, weights, state: found, inPlace: step.inPlace.size, updates: step.updates.length };
}

