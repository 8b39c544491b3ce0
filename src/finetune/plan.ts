/** The training plan of a problem: its objective, which parameters move how fast, and the noise of dropout. */
import { constant, type Value } from "../graph/index.ts";
import { type DropoutMask, dropout } from "../nn/index.ts";
import { type Feeds, random, size, type Tensor } from "../tensor/index.ts";
import type { Objective, TrainingOptions, TrainingPlan } from "../train/index.ts";
import { headOf, lossOf, type Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";
import type { Tunable } from "./tunable.ts";

/** The kind of batch, which is the only one. */
export const KIND = "task";

/** The plan, for `traceSteps`. */
export function tuningPlan(
  tunable: Pick<Tunable, "outputs" | "rates">,
  problem: Problem,
  settings: Settings,
  seed: number,
): TrainingPlan {
  const { drop, masks } = dropout({ hidden: settings.dropout, attention: settings.attentionDropout });
  const head = headOf(problem, settings.headHidden);
  const objective: Objective = {
    batchSize: settings.batchSize,
    losses(p, batch) {
      const { textLength } = settings;
      const { logits, hidden_states } = tunable.outputs(p, head, { batch, textLength }, drop);
      const { loss, accuracy, chance } = lossOf(problem.target, logits, settings.labelSmoothing);
      return {
        losses: { task: loss },
        metrics: accuracy ? { "task/accuracy": accuracy } : {},
        chance: { task: chance },
        checkpoints: hidden_states,
      };
    },
  };
  const scaleOf = tunable.rates(problem, settings);
  return {
    objectives: { [KIND]: objective },
    gate: (parameter) => scaled(scaleOf(parameter)),
    noise: (step) => kept(masks, { seed, step, batchSize: settings.batchSize }),
  };
}

const scaled = (scale: number): Value | undefined => (scale === 1 ? undefined : constant(scale));

/** The options of the loop that the settings stand for. */
export const trainingOptions = (settings: Settings): TrainingOptions => ({
  steps: settings.steps,
  gradientAccumulationSteps: settings.gradientAccumulationSteps,
  optimizer: {
    lr: settings.lr,
    betas: settings.betas,
    eps: settings.eps,
    weightDecay: settings.weightDecay,
    finalWeightDecay: null,
    noDecay: [
      "\\.bias$",
      "[lL]ayer[nN]orm[^.]*\\.weight$",
      "^classifier\\.2\\.weight$",
      "cls_token$",
      "position_embeddings?(\\.weight)?$",
      "(norm\\d?|layrnorm|layer_norm\\d?|_bn|pos_embed|class_embedding|image_positions)(\\.weight)?$",
    ],
  },
  schedule: { kind: settings.schedule, warmupSteps: settings.warmupSteps, finalLr: 0, decaySteps: null },
  clipNorm: settings.clipNorm,
  recompute: settings.recompute,
});

interface Noise {
  readonly seed: number;
  readonly step: number;
  /** Of the whole step: the masks known may be those of a micro-batch. */
  readonly batchSize: number;
}

/** Masks of a step, true with probability 1 − dropped / 256: a function of (seed, name, step). */
function kept(masks: ReadonlyMap<string, DropoutMask>, { seed, step, batchSize }: Noise): Feeds {
  const feeds: Record<string, Tensor> = {};
  for (const [name, { shape, dropped }] of masks) {
    const whole = [batchSize, ...shape.slice(1)];
    const data = new Uint8Array(size(whole));
    const rng = random(seed, name, step);
    for (let i = 0; i < data.length; i += 4) {
      const bits = rng.bits();
      for (let k = 0; k < 4 && i + k < data.length; k++) data[i + k] = ((bits >>> (8 * k)) & 255) < dropped ? 0 : 1;
    }
    feeds[name] = { dtype: "bool", shape: whole, data };
  }
  return feeds;
}
