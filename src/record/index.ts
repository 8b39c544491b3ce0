export * from "./checkpoint/index.ts";
export * from "./gallery.ts";
export * from "./logs/index.ts";
export * from "./run-info.ts";
