export * from "./batch.ts";
// Both rooms have the name: an explicit export decides.
export type { DecodeOptions } from "./image/index.ts";
export * from "./image/index.ts";
export * from "./mixing/index.ts";
export * from "./sources/index.ts";
export type { DecodeOptions as TextDecodeOptions } from "./text/index.ts";
export * from "./text/index.ts";
