export type { Target } from "./emitter.ts";
export { type ExternalData, type ExternalDataOptions, joinExternalData } from "./external.ts";
export type { FusionName } from "./fusion.ts";
export { type Lowered, type LowerOptions, type ModelDType, toOnnx } from "./lower.ts";
export { decodeModel } from "./read.ts";
export type { Attribute, Attributes, OnnxGraph, OnnxModel, OnnxNode, OnnxPort, OnnxTensor } from "./schema.ts";
