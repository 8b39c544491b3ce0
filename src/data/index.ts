export * from "./batch/index.ts";
export * from "./loader/index.ts";
export * from "./sources/index.ts";
export * from "./split/index.ts";
