export { CARD_FILE, type CardOptions, modelCard, writeCard } from "./card.ts";
export { type Comparison, compareRuns, comparisonTable, type ResultRow } from "./compare.ts";
export { type DrawnMatrix, scoreSvg } from "./score-matrix.ts";
export { REPORT_FILE, type ReportOptions, writeReport } from "./write.ts";
