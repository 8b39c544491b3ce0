/** Reads single tensors of a safetensors file by range: only the header and what is asked for is loaded. */
import { CheckpointError } from "../../errors.ts";
import type { Bytes } from "../../io/index.ts";
import { bfloat16ToFloat, type DType, halfToFloat, type Tensor, tensor, viewAs } from "../../tensor/index.ts";
import { headerLength, parseHeader, type StoredDType, type TensorInfo } from "./header.ts";

/** An open file. Close it, or bind it with `await using`. */
export interface Safetensors extends AsyncDisposable {
  /** Path or URL, for messages. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** One tensor; BF16 and F16 come as float32. Throws CheckpointError if there is none of that name. */
  read(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Tensor>;
  close(): Promise<void>;
}

/** Reads and checks the header. The file is closed on failure. Throws CheckpointError. */
export async function readSafetensors(bytes: Bytes): Promise<Safetensors> {
  try {
    const { metadata, tensors } = await readHeader(bytes);
    const byName = new Map(tensors.map((info) => [info.name, info]));
    return {
      name: bytes.name,
      metadata,
      tensors: byName,
      read: (name, { signal } = {}) => readTensor(bytes, byName, name, signal),
      close: () => bytes.close(),
      [Symbol.asyncDispose]: () => bytes.close(),
    };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

async function readHeader(bytes: Bytes): Promise<ReturnType<typeof parseHeader>> {
  const { name, byteLength } = bytes;
  if (byteLength < 10)
    throw new CheckpointError(`${name}: expected a safetensors file of 10 bytes or more, got ${byteLength}`);
  const length = headerLength(await bytes.slice(0, 8), byteLength, name);
  return parseHeader(new Uint8Array(await bytes.slice(8, 8 + length)), byteLength, name);
}

async function readTensor(
  bytes: Bytes,
  tensors: ReadonlyMap<string, TensorInfo>,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  signal?.throwIfAborted();
  const info = tensors.get(name);
  if (!info)
    throw new CheckpointError(
      `${bytes.name}: expected a tensor "${name}", got none`,
      `the file holds ${tensors.size} tensors: ${[...tensors.keys()].slice(0, 5).join(", ")}, …`,
    );
  const raw = new Uint8Array(await bytes.slice(info.start, info.end));
  const widen = WIDEN[info.storedAs];
  if (widen) return tensor("float32", info.shape, widen(viewAs("float16", raw)));
  return tensor<DType>(info.dtype, info.shape, viewAs(info.dtype, raw));
}

/** Models compute in float32; what is stored in half of it is widened as it is read, whichever half it is. */
const WIDEN: { readonly [S in StoredDType]?: (bits: Uint16Array) => Float32Array } = {
  F16: halfToFloat,
  BF16: bfloat16ToFloat,
};
