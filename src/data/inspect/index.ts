export { type Example, type MaskView, makeExamples, type ShownToken, thumbnail } from "./examples.ts";
export { type SheetOptions, sheetHtml, sheetPng } from "./sheet.ts";
export { type Inspection, type InspectOptions, inspectSource, type Spread } from "./statistics.ts";
