export { openSafetensors, saveSafetensors } from "./safetensors/file.ts";
export type { StoredDType, TensorInfo, TensorSpec } from "./safetensors/header.ts";
export { readSafetensors, type Safetensors } from "./safetensors/read.ts";
export { type EncodeOptions, encodeSafetensors, entriesOf, type TensorEntry } from "./safetensors/write.ts";
