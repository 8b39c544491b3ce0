export * from "./config.ts";
export * from "./encoder.ts";
export * from "./image-encoder.ts";
export * from "./multimodal-encoder.ts";
export * from "./text-encoder.ts";
export * from "./variants.ts";
