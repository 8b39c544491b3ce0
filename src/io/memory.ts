/** Bytes that are in memory already, behind the contract of files. */
import { type Bytes, checkRange } from "./bytes.ts";

/** `name` is for messages. Every slice is a copy; the stream gives the bytes themselves. */
export function memoryBytes(name: string, bytes: Uint8Array): Bytes {
  return {
    name,
    byteLength: bytes.byteLength,
    async slice(start, end = bytes.byteLength) {
      checkRange(name, start, end, bytes.byteLength);
      return Uint8Array.from(bytes.subarray(start, end)).buffer; // not bytes.slice(): a Node Buffer's shares memory
    },
    async *stream(start = 0) {
      if (start < bytes.byteLength) yield bytes.subarray(start);
    },
    close: async () => undefined,
  };
}
