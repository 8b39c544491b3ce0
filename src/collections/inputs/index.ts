export { type ListOptions, listInputs, reasonOf } from "./list.ts";
export { loadInput, MAX_IMAGE_BYTES } from "./load.ts";
export type { BadInput, Input, Inputs } from "./types.ts";
