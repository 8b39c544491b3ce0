export * from "./config-json.ts";
export * from "./dynamic.ts";
export * from "./family.ts";
export * from "./layout.ts";
export * from "./model.ts";
export { maskedWordsAt } from "./regions.ts";
export { headOutputs, headWidth, type TaskOutputs } from "./task-head.ts";
