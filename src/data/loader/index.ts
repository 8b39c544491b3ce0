export { plainText, tagsOf } from "./captions.ts";
export { chooseDataset, pickWeighted } from "./choose.ts";
export type { DatasetOptions, DatasetSource } from "./dataset.ts";
export { createLoader, type LoadedBatch, type Loader, type LoaderOptions, type LoaderState } from "./loader.ts";
export { memorySource, sourceOf } from "./memory.ts";
export { type PassOptions, passBatches } from "./pass.ts";
export { type PixelCache, pixelCache } from "./pixel-cache.ts";
export { distinctNames, renamed } from "./source-names.ts";
export type { TextCounts } from "./text-counts.ts";
