export { type ByteSource, memoryBytes } from "./bytes.ts";
export { openByteFile } from "./bytes-file.ts";
export { openSafetensors, saveSafetensors } from "./safetensors/file.ts";
export type { StoredDType, TensorInfo, TensorSpec } from "./safetensors/header.ts";
export { readSafetensors, type Safetensors } from "./safetensors/read.ts";
export { type EncodeOptions, encodeSafetensors, entriesOf, type TensorEntry } from "./safetensors/write.ts";
export { PARTIAL, removePartials, type SaveOptions, saveFile, syncFolder, writeError } from "./save-file.ts";
