export * from "./builder.ts";
export * from "./masked.ts";
export { boxWaves } from "./regions.ts";
export * from "./rows.ts";
export type * from "./types.ts";
