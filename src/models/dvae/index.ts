export * from "./config.ts";
export * from "./decoder.ts";
export * from "./encoder.ts";
export * from "./model.ts";
export * from "./pixels.ts";
