export { type EmbedJob, type EmbedResult, embedToFile } from "./embed/embed-to-file.ts";
export { formatOf } from "./embed/formats.ts";
export { embedNamed, FEW_PICTURES, type Named } from "./embed-named.ts";
export { decodingThreads, type EmbedOptions, embedPictures, type Loaded, type Outcome } from "./embed-pictures.ts";
export type { Encoder } from "./encoder.ts";
export { type Hit, nearestRows } from "./exact.ts";
export * from "./inputs/index.ts";
export { modelEncoder } from "./model-encoder.ts";
export {
  type FolderIndex,
  type Found,
  INDEX_FOLDER,
  type IndexOptions,
  openFolderIndex,
} from "./search/folder-index.ts";
export type { Changes } from "./search/update.ts";
export { type LogBatch, type LogHeader, openVectorLog, type VectorLog } from "./vector-log.ts";
