/** Bytes by range: what the readers of model files ask of a file, an HTTP address or memory (hyparquet's contract). */
import { CheckpointError } from "../errors.ts";

export interface ByteSource {
  /** A path or URL, for messages. */
  readonly name: string;
  readonly byteLength: number;
  /** The bytes start..end−1, in a buffer of their own. */
  slice(start: number, end: number): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

/** Bytes that are in memory already. */
export function memoryBytes(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.byteLength,
    async slice(start, end) {
      if (start < 0 || end > bytes.byteLength || start > end)
        throw new CheckpointError(`${name}: expected bytes ${start}..${end}, got only ${bytes.byteLength}`);
      // Not bytes.slice(): a Node Buffer's shares memory.
      return Uint8Array.from(bytes.subarray(start, end)).buffer;
    },
    close: async () => undefined,
  };
}
