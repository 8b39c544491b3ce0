export { drawStage } from "./draw.ts";
export type { DrawOptions } from "./drawing.ts";
