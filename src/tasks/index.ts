export { csvTable, markdownTable } from "./print-table.ts";
export type { LinearData } from "./probe/linear-objective.ts";
export { type Fitted, fitLogistic, type LinearClassifier, type LogisticOptions, logits } from "./probe/logistic.ts";
export {
  type PublishedColumns,
  type PublishedSystems,
  paperTasks,
  pickTasks,
  publishedColumns,
  publishedSystems,
  readTask,
} from "./registry.ts";
export { type Cell, cellColumns, cellPath, readCells, saveCell } from "./results.ts";
export {
  type Figure,
  GROUPS,
  type Group,
  LAYOUTS,
  type Layout,
  PROTOCOLS,
  type Protocol,
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
} from "./table.ts";
export { htmlTable } from "./table-page.ts";
