export { cse } from "./cse.ts";
export { type Cut, cut, KEEP, type PartedStep, type Phase, sumName } from "./cut/cut.ts";
export { dce } from "./dce.ts";
export { fold } from "./fold.ts";
export { optimize } from "./optimize.ts";
export { type PrecisionOptions, precision } from "./precision.ts";
