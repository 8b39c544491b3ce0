export * from "./dynamic.ts";
export * from "./family.ts";
export * from "./layout.ts";
export * from "./model.ts";
