export { cellNotes } from "./cell-notes.ts";
export * from "./evaluate/index.ts";
export * from "./layouts/index.ts";
export { csvTable, markdownTable, type PrintOptions } from "./print-table.ts";
export { type FeatureOptions, type Features, labelledFeatures } from "./probe/features.ts";
export {
  type LinearOptions,
  type LinearResult,
  type LinearSplits,
  linearEvaluation,
} from "./probe/linear-evaluation.ts";
export type { LinearData } from "./probe/linear-objective.ts";
export { type Fitted, fitLogistic, type LinearClassifier, type LogisticOptions, logits } from "./probe/logistic.ts";
export { type SweepOptions, type Swept, sweepC, type Tried } from "./probe/sweep.ts";
export {
  type PublishedColumns,
  type PublishedSystems,
  paperTasks,
  pickTasks,
  publishedColumns,
  publishedSystems,
  readTask,
  starterTasks,
} from "./registry.ts";
export { type Bounds, type Cell, cellColumns, cellPath, readCells, saveCell } from "./results.ts";
export {
  type Figure,
  GROUPS,
  type Group,
  LAYOUTS,
  type Layout,
  PROTOCOLS,
  type Protocol,
  type SplitName,
  type Task,
  taskSchema,
} from "./schema.ts";
export {
  type Column,
  figureKey,
  isBest,
  publishedTable,
  type ResultTable,
  type Row,
  resultTable,
  systemColumns,
  type TableOptions,
} from "./table.ts";
export { htmlTable } from "./table-page.ts";
