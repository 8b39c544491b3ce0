/** Reads single tensors of a safetensors file by range: only the header and what is asked for is loaded. */
import { CheckpointError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { type DType, type Tensor, tensor } from "../../tensor/index.ts";
import { readStored } from "../stored.ts";
import type { TensorFile } from "../tensor-file.ts";
import { headerLength, parseHeader, type TensorInfo } from "./header.ts";

/** An open safetensors file. */
export interface Safetensors extends TensorFile {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Reads and checks the header. The file is closed on failure. Throws CheckpointError. */
export async function readSafetensors(bytes: Bytes): Promise<Safetensors> {
  try {
    const { metadata, tensors } = await readHeader(bytes);
    const byName = new Map(tensors.map((info) => [info.name, info]));
    return {
      name: bytes.name,
      format: "safetensors",
      parts: 1,
      metadata,
      tensors: byName,
      others: [],
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
  return tensor<DType>(info.dtype, info.shape, await readStored(bytes, info.storedAs, info.start, info.end));
}
