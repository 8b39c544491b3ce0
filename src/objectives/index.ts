export * from "./dino.ts";
export * from "./dvae.ts";
export * from "./flava.ts";
export * from "./global-contrastive.ts";
export * from "./itm.ts";
export * from "./masked-cross-entropy.ts";
export * from "./parts.ts";
export * from "./task.ts";
