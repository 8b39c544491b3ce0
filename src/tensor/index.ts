export * from "./bfloat16.ts";
export * from "./cast.ts";
export * from "./compare.ts";
export * from "./dtype.ts";
export * from "./half.ts";
export * from "./hints.ts";
export * from "./random.ts";
export * from "./tensor.ts";
