export {
  type AdamWOptions,
  adamw,
  adamwScalars,
  counterName,
  momentNames,
  type Update,
  updateCounters,
} from "./adamw.ts";
export { ema, emaName } from "./ema.ts";
export { type Clip, type Clipped, clip, gradients, scalarInput } from "./gradients.ts";
export { type Group, type GroupRule, groupOf, layerDecay, noDecayOnVectors } from "./groups.ts";
export {
  constant,
  cosineRamp,
  dinoSchedule,
  exponentialRamp,
  linearRamp,
  type Schedule,
  warmupCosine,
  warmupLinear,
} from "./schedules.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
