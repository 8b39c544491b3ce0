export { type AttentionMap, type WordAttention, wordAttentions } from "./attention.ts";
export type { ImageOutput, Images, PairOutput, TextOutput, Texts } from "./encode.ts";
export type { FilledMask, FillMaskOptions } from "./fill-mask.ts";
export { type CallOptions, FlavaModel, type ModelParts, type ResultOptions, type Similarity } from "./flava-model.ts";
export { type ImageInput, type Picture, type RawPixels, readImage } from "./image-input.ts";
export type { DtypeName, LoadOptions } from "./load.ts";
export type { LoadedModel } from "./loaded-model.ts";
export type { OpenOptions } from "./model-files.ts";
export { type Nested, type OutputTensor, Rows } from "./output.ts";
export {
  type ImageFeatureOptions,
  type Pipeline,
  type Pipelines,
  pipeline,
  type TaskName,
  type TextFeatureOptions,
  type ZeroShotOptions,
} from "./pipeline.ts";
export { type LabelScore, PROBE_FILE, type Probe, type ProbeInput, probeTensors, readProbe } from "./probe.ts";
export {
  createProcessor,
  type EncodedTextFeeds,
  FlavaProcessor,
  type ImageFeeds,
  type PictureFeeds,
  type ProcessorInputs,
  processorOf,
  type TextFeeds,
  type TextOptions,
} from "./processor.ts";
export { runOnce } from "./run-once.ts";
export { batches, createRunner, cutRows, hasParameters, only, type Runner } from "./runner.ts";
export {
  meanOfHeads,
  type Quarters,
  quarterShares,
  type ScoreMatrices,
  type ScoreMatrix,
  sharesOf,
  withQuarters,
} from "./score-matrices.ts";
export type { Embedded, NotEmbedded, StreamOptions } from "./stream.ts";
export type { LoadedTask, TaskInput } from "./task.ts";
