export * from "./config.ts";
export * from "./image-encoder.ts";
