export * from "./convert.ts";
export * from "./head.ts";
export * from "./model.ts";
