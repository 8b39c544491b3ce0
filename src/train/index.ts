export { type Ending, type Loop, type Times, train } from "./loop.ts";
export { type Means, means, type Sums } from "./means.ts";
export type { AdamWChoice, ScheduleChoice, TrainingOptions } from "./options.ts";
export type { Average, Batch, Carried, Losses, Metrics, Objective, Part, TrainingPlan } from "./plan.ts";
export { messagesOf } from "./sums.ts";
export { turns } from "./turns.ts";
export {
  createUpdater,
  declaredState,
  type StepGraphs,
  type TraceOptions,
  traceSteps,
  type Updater,
} from "./updater.ts";
