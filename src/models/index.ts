export * from "./family.ts";
export * from "./model.ts";
