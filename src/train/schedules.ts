/** The schedules of a stage: learning rate and weight decay as functions of the step. */
import { constant, dinoSchedule, type Schedule, warmupCosine, warmupLinear } from "../optim/index.ts";
import type { Stage } from "../pretrain/recipe/types.ts";

/** The learning rate of step 1, 2, … DINO counts iterations from 0 and reaches the peak one step earlier, as its code does. */
export function learningRate({ kind, steps, optimizer: { lr }, schedule }: Stage): Schedule {
  const { warmupSteps, finalLr, decaySteps } = schedule;
  const end = decaySteps ?? steps;
  if (kind === "image-dino" && schedule.kind === "cosine") {
    const at = dinoSchedule(lr, finalLr, end, warmupSteps);
    return (step) => at(step - 1);
  }
  if (schedule.kind === "cosine") return warmupCosine(lr, warmupSteps, end, finalLr);
  if (schedule.kind === "linear") return warmupLinear(lr, warmupSteps, end, finalLr);
  return warmupLinear(lr, warmupSteps, Number.POSITIVE_INFINITY, lr);
}

/** The weight decay of each step: a cosine to `finalWeightDecay` where there is one (DINO). */
export function weightDecay({ steps, optimizer }: Stage): Schedule {
  const { weightDecay: start, finalWeightDecay: end } = optimizer;
  if (end === null) return constant(start);
  const at = dinoSchedule(start, end, steps);
  return (step) => at(step - 1);
}
