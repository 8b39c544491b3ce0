export * from "./dynamic.ts";
export * from "./family.ts";
export * from "./model.ts";
