export { cse } from "./cse.ts";
export { dce } from "./dce.ts";
export { fold } from "./fold.ts";
export { optimize } from "./optimize.ts";
