export { curveChart } from "./curves.ts";
export { type ColumnTraining, costsOf, gapsOf, type RunCost, suits, trainingOf, trainingText } from "./describe.ts";
export {
  type AblationFile,
  type ColumnChoice,
  type CurvePoint,
  type Curves,
  pickColumns,
  readAblation,
} from "./file.ts";
export { type AblationPlan, type PlannedColumn, type PlannedRun, type PlanRequest, planAblation } from "./plan.ts";
export { ABLATION_FILE, type AblationRecord, findAblation, type RecordedColumn } from "./record.ts";
export { type AblationOptions, type AblationResult, runAblation, waysOf } from "./run.ts";
export { ablationTable, CELLS, writeTables } from "./table.ts";
