export { type BaseModel, settingsBase } from "./base.ts";
export {
  type DataRequest,
  type LabelledSamples,
  labelledSource,
  lengthFor,
  type PreparedData,
  prepareData,
} from "./data.ts";
export { checkBest, type Figures, figures, type Intervals, type Outputs, softmaxRows } from "./figures.ts";
export { headOf, type Problem, type Target } from "./problem.ts";
export type { TuningOptions, TuningReporter, TuningRequest, TuningResult } from "./request.ts";
export { finetune } from "./run.ts";
export { type GivenSettings, SETTING_NAMES, type Settings, settingsFor } from "./settings.ts";
export { type Columns, type NamedSource, namedSource, splitFolders } from "./sources.ts";
export { labelOf, type Needs, refusal } from "./survey.ts";
export type { LabelsAs } from "./target.ts";
export { type Tunable, tunableOf } from "./tunable.ts";
