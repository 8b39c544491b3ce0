export { ByteReader, concatBytes, decodeUtf8, type Line, readLines } from "./byte-reader.ts";
export { type Bytes, checkRange } from "./bytes.ts";
export { namesIn, openFile, statOf } from "./file.ts";
export { openHttp } from "./http.ts";
export type { HttpOptions } from "./http-attempts.ts";
export { flavaCache, huggingFaceHome, isOffline, isSet, withHome } from "./huggingface-home.ts";
export { isJsonObject, isRecord, type Json, type JsonObject, readJson, saveJson } from "./json.ts";
export { type LockOptions, lockFile, lockFolder } from "./lock.ts";
export { memoryBytes } from "./memory.ts";
export { baseName, isUrl, localPath, openBytes, parentOf, readBytes, resolveLocation } from "./open.ts";
export {
  makeFolder,
  PARTIAL,
  removePartials,
  type SaveOptions,
  saveFile,
  syncFolder,
} from "./save-file.ts";
export { freeBytes } from "./space.ts";
export { systemError, systemReason, writeError } from "./system-error.ts";
