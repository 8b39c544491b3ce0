export * from "./config.ts";
export * from "./embeddings.ts";
export * from "./family.ts";
export * from "./heads.ts";
export * from "./hf-config.ts";
export * from "./layouts.ts";
export * from "./model.ts";
export * from "./variants.ts";
