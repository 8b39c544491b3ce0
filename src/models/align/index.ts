export * from "./config.ts";
export * from "./efficientnet.ts";
export * from "./graphs.ts";
export * from "./model.ts";
