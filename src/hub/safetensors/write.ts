/** Writes safetensors as a stream of chunks, one tensor in memory at a time, byte for byte as the reference implementation. */
import { CheckpointError } from "../../errors.ts";
import { formatShape, sameShape, type Tensor } from "../../tensor/index.ts";
import { fileOrder, formatHeader, type TensorSpec } from "./header.ts";

/** A tensor to write: what it is, known now, and its elements, asked for when their turn comes. */
export interface TensorEntry extends TensorSpec {
  read(): Tensor | Promise<Tensor>;
}

export interface EncodeOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The bytes of a file. Throws CheckpointError for a name given twice, or elements of another dtype or shape than said. */
export async function* encodeSafetensors(
  entries: readonly TensorEntry[],
  { metadata = {}, signal }: EncodeOptions = {},
): AsyncGenerator<Uint8Array> {
  const ordered = fileOrder(entries);
  yield formatHeader(ordered, metadata);
  for (const entry of ordered) {
    signal?.throwIfAborted();
    const { dtype, shape, data } = await entry.read();
    if (dtype !== entry.dtype || !sameShape(shape, entry.shape))
      throw new CheckpointError(
        `${entry.name}: expected ${entry.dtype} ${formatShape(entry.shape)}, got ${dtype} ${formatShape(shape)}`,
      );
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}

/** Entries of tensors that are in memory already. */
export const entriesOf = (tensors: Readonly<Record<string, Tensor>>): TensorEntry[] =>
  Object.entries(tensors).map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape, read: () => t }));
