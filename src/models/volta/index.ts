export * from "./config.ts";
export * from "./embeddings.ts";
export * from "./family.ts";
export * from "./model.ts";
export * from "./variants.ts";
