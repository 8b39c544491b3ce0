export * from "./config.ts";
export * from "./family.ts";
export * from "./hf-config.ts";
export * from "./model.ts";
export * from "./variants.ts";
