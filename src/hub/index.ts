export { type ModelFiles, openWeights, readModelJson, type WeightsOptions, weightFiles } from "./model-files.ts";
export { type OpenModel, type OpenModelOptions, openModel, openWeightsOf, repositoryFiles } from "./open-model.ts";
export { openTensors } from "./open-tensors.ts";
export {
  DEFAULT_ENDPOINT,
  type HubToken,
  hubCacheDir,
  hubEndpoint,
  hubTimeoutMs,
  hubToken,
} from "./repository/environment.ts";
export type { RepositoryFile } from "./repository/facts.ts";
export type { OnProgress, ProgressEvent } from "./repository/progress.ts";
export type { Repository, RepositoryOptions } from "./repository/repository.ts";
export { isProgressHidden, resolveRepository } from "./repository/resolve.ts";
export { openSafetensors, saveSafetensors } from "./safetensors/file.ts";
export type { TensorInfo, TensorSpec } from "./safetensors/header.ts";
export { readSafetensors, type Safetensors } from "./safetensors/read.ts";
export { type EncodeOptions, encodeSafetensors, entriesOf, type TensorEntry } from "./safetensors/write.ts";
export {
  DEFAULT_SHARD_BYTES,
  type SavedWeights,
  type SaveWeightsOptions,
  saveWeights,
} from "./save-weights.ts";
export { STORED, type StoredDType } from "./stored.ts";
export type { OtherEntry, ReadOptions, StoredTensor, TensorFile, WeightsFormat } from "./tensor-file.ts";
export { readTorch, type TorchOptions } from "./torch/read.ts";
