/** Where initialisers live: inside the model, or in a data file beside it (external data, needed above protobuf's 2 GB). */
import type { FixedNumbers } from "./draft.ts";
import type { OnnxTensor } from "./schema.ts";

export interface ExternalDataOptions {
  /** File name, relative to the model: "model.onnx_data". */
  location: string;
  /** Initialisers of at least so many bytes go there. Default 1024. */
  thresholdBytes?: number;
}

/** The content of the data file, as pieces that are written at their offsets; gaps are zeros. */
export interface ExternalData {
  readonly location: string;
  readonly sizeBytes: number;
  readonly parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** Offsets are multiples of a page, so that an engine can map the file. */
const PAGE = 4096;

/** Splits initialisers between the model and the data file. Bytes are views of the tensors. */
export function place(
  initializers: ReadonlyMap<string, FixedNumbers>,
  options: ExternalDataOptions | undefined,
): { tensors: OnnxTensor[]; externalData?: ExternalData } {
  const threshold = options ? (options.thresholdBytes ?? 1024) : Number.POSITIVE_INFINITY;
  const parts: { offset: number; bytes: Uint8Array }[] = [];
  let end = 0;
  const tensors = [...initializers].map(([name, t]): OnnxTensor => {
    const { dtype, shape } = t;
    const bytes = new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength);
    if (!options || bytes.length < threshold) return { name, dtype, shape, bytes };
    const offset = Math.ceil(end / PAGE) * PAGE;
    end = offset + bytes.length;
    parts.push({ offset, bytes });
    return { name, dtype, shape, external: { location: options.location, offset, length: bytes.length } };
  });
  if (!options || parts.length === 0) return { tensors };
  return { tensors, externalData: { location: options.location, sizeBytes: end, parts } };
}

/** The data file as one array, for engines that take it in memory (below 4 GB). */
export function joinExternalData(data: ExternalData): Uint8Array {
  const joined = new Uint8Array(data.sizeBytes);
  for (const { offset, bytes } of data.parts) joined.set(bytes, offset);
  return joined;
}
