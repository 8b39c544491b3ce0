export * from "./head.ts";
export * from "./model.ts";
