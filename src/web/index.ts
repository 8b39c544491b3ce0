export * from "../api/index.ts";
export { drawScene, paintScene } from "../data/sources/shapes.ts";
export * from "../errors.ts";
export { openTensors } from "../hub/open-tensors.ts";
export type { OnProgress, ProgressEvent } from "../hub/repository/progress.ts";
export { readSafetensors, type Safetensors } from "../hub/safetensors/read.ts";
export { encodeSafetensors, entriesOf, type TensorEntry } from "../hub/safetensors/write.ts";
export { pixels } from "../image/index.ts";
export type { Bytes } from "../io/bytes.ts";
export { type CachedOptions, openCached } from "../io/cached.web.ts";
export { memoryBytes } from "../io/memory.ts";
export { flavaFamily } from "../models/flava/index.ts";
export { compile, type Device, type DeviceName, type Executable, openDevice, State } from "../runtime/index.ts";
export { hasGpu } from "../runtime/onnxruntime/web/gpu.ts";
export { type Tensor, tensor, toNumbers } from "../tensor/index.ts";
export { type TextTokenizer, tokenizerFromFiles } from "../text/index.ts";
export { checkpointFiles } from "./checkpoint-files.ts";
export {
  type JointTab,
  openJointTab,
  type TabOptions,
  type TabStage,
  type TabStart,
  type TabState,
  type TabUpdate,
} from "./joint-tab.ts";
export type { TabData, TabKind, TabSample } from "./tab-batches.ts";
export { type FilledPicture, openTabPictures, type TabPictures } from "./tab-pictures.ts";
