/** The schedules of a training: learning rate and weight decay as functions of the step. */
import { constant, dinoSchedule, type Schedule, warmupCosine, warmupLinear } from "../optim/index.ts";
import type { TrainingOptions } from "./options.ts";
import type { TrainingPlan } from "./plan.ts";

/** The learning rate of step 1, 2, … */
export function learningRate(
  { steps, optimizer: { lr }, schedule }: TrainingOptions,
  { countsFromZero = false }: Pick<TrainingPlan, "countsFromZero"> = {},
): Schedule {
  const { warmupSteps, finalLr, decaySteps } = schedule;
  const end = decaySteps ?? steps;
  if (countsFromZero && schedule.kind === "cosine") {
    const at = dinoSchedule(lr, finalLr, end, warmupSteps);
    return (step) => at(step - 1);
  }
  if (schedule.kind === "cosine") return warmupCosine(lr, warmupSteps, end, finalLr);
  if (schedule.kind === "linear") return warmupLinear(lr, warmupSteps, end, finalLr);
  return warmupLinear(lr, warmupSteps, Number.POSITIVE_INFINITY, lr);
}

/** The weight decay of each step: a cosine to `finalWeightDecay` where there is one (DINO). */
export function weightDecay({ steps, optimizer }: TrainingOptions): Schedule {
  const { weightDecay: start, finalWeightDecay: end } = optimizer;
  if (end === null) return constant(start);
  const at = dinoSchedule(start, end, steps);
  return (step) => at(step - 1);
}
