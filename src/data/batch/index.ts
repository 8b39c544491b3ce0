export * from "./builder.ts";
export * from "./rows.ts";
export * from "./masked.ts";
export type * from "./types.ts";
