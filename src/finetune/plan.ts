/** The training plan of a problem: its objective, which parameters move how fast, and the noise of dropout. */
import { constant, type Value } from "../graph/index.ts";
import { type FlavaConfig, taskOutputs } from "../models/flava/index.ts";
import { type DropoutMask, dropout } from "../nn/index.ts";
import { type GroupRule, groupOf, layerDecay } from "../optim/index.ts";
import { type Feeds, random, size, type Tensor } from "../tensor/index.ts";
import type { Objective, TrainingOptions, TrainingPlan } from "../train/index.ts";
import { headOf, lossOf, type Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";

/** The kind of batch, which is the only one. */
export const KIND = "task";

/** The plan, for `traceSteps`. */
export function tuningPlan(config: FlavaConfig, problem: Problem, settings: Settings, seed: number): TrainingPlan {
  const { drop, masks } = dropout({ hidden: settings.dropout, attention: settings.attentionDropout });
  const head = headOf(problem, settings.headHidden);
  const objective: Objective = {
    batchSize: settings.batchSize,
    losses(p, batch) {
      const { textLength } = settings;
      const { logits, hidden_states } = taskOutputs(p, config, head, { batch, textLength }, drop);
      const { loss, accuracy, chance } = lossOf(problem.target, logits, settings.labelSmoothing);
      return {
        losses: { task: loss },
        metrics: accuracy ? { "task/accuracy": accuracy } : {},
        chance: { task: chance },
        checkpoints: hidden_states,
      };
    },
  };
  const scaleOf = rates(config, problem, settings);
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
      "position_embeddings",
    ],
  },
  schedule: { kind: settings.schedule, warmupSteps: settings.warmupSteps, finalLr: 0, decaySteps: null },
  clipNorm: settings.clipNorm,
  recompute: settings.recompute,
});

/**
 * What a parameter's learning rate is multiplied by. Layer i of n of the encoder that the head reads: decay^(n − i), its embeddings
 * decay^(n + 1), the head `headLr`. Below the multimodal encoder the two others count on: their layer i of m is decay^(n + 1 + m − i),
 * their projections decay^(n + 1), their embeddings decay^(n + m + 2).
 */
export function rates(
  config: FlavaConfig,
  { inputs }: Pick<Problem, "inputs">,
  { layerDecay: decay, headLr }: Pick<Settings, "layerDecay" | "headLr">,
): (parameter: string) => number {
  const rules: GroupRule[] = [{ match: /^classifier\./, lrScale: headLr }];
  const own = (name: "text" | "image" | "multimodal", below: number): GroupRule[] =>
    layerDecay(`flava.${name}_model`, config[name].layers, decay).map((rule) => ({
      ...rule,
      lrScale: (rule.lrScale as number) * decay ** below,
    }));
  if (inputs === "pair") {
    const below = config.multimodal.layers + 1;
    rules.push(...own("multimodal", 0), { match: /^flava\.multimodal_model\.cls_token$/, lrScale: decay ** below });
    rules.push({ match: /^flava\.(text|image)_to_mm_projection\./, lrScale: decay ** below });
    rules.push(...own("text", below), ...own("image", below));
  } else rules.push(...own(inputs, 0));
  return (parameter) => groupOf(parameter, rules, 0).lrScale as number;
}

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
