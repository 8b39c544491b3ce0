export * from "./graph.ts";
export * from "./ops.ts";
export type { Attrs, Comparison, GraphDType, Op } from "./primitives.ts";
export { scoped, Value } from "./value.ts";
