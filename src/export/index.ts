export { reportText } from "./card.ts";
export { type ExportOptions, type ExportReport, exportOnnx } from "./export.ts";
export { type GraphName, graphNames } from "./graphs.ts";
export type { OutputParity } from "./parity.ts";
export { type ExportDType, type ExportedFile, exportDTypes } from "./write-graphs.ts";
