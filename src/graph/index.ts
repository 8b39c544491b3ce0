export { type Cost, costOf, flopsOf } from "./cost.ts";
export {
  type AxisSizes,
  axisOf,
  type DynamicGraph,
  type DynamicPort,
  dynamicPorts,
  type Extent,
  extentOf,
  formatSize,
  isDynamic,
  type Samples,
  type Size,
  sample,
  sizeAt,
} from "./dynamic.ts";
export { type GradOptions, grad } from "./gradient.ts";
export * from "./graph.ts";
export { type InterpretOptions, interpret } from "./interpret/index.ts";
export * from "./ops.ts";
export type { Attrs, Comparison, ConvWindow, GraphDType, Op, PoolWindow } from "./primitives.ts";
export { print, toDot } from "./print.ts";
export type { Program } from "./program.ts";
export { scoped, Value } from "./value.ts";
