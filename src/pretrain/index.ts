export * from "./recipe/index.ts";
export { measureStage } from "./run/measure.ts";
export { pretrain, type RunOptions, type RunRequest } from "./run/run.ts";
