/**
 * The header of a safetensors file: 8 bytes of little-endian length, then JSON {name: {dtype, shape, data_offsets}, __metadata__},
 * then the tensors' bytes. Checked as strictly as the reference implementation (github.com/huggingface/safetensors): the
 * tensors cover the rest of the file without gap or overlap.
 */
import { CheckpointError } from "../../errors.ts";
import { byteSize, type DType } from "../../tensor/index.ts";
import { STORED, type StoredDType, storedAs as storedOf } from "../stored.ts";
import type { StoredTensor } from "../tensor-file.ts";
import { duplicateKey } from "./duplicate-key.ts";

/** One tensor of a file. */
export interface TensorInfo extends StoredTensor {
  /** Byte range in the file. */
  readonly start: number;
  readonly end: number;
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly tensors: readonly TensorInfo[];
}

/** The reference implementation refuses longer headers too. */
const MAX_HEADER_BYTES = 100_000_000;

/** The length of the JSON header, from the first 8 bytes of a file of `fileBytes` bytes. Throws CheckpointError. */
export function headerLength(prefix: ArrayBuffer, fileBytes: number, where: string): number {
  const length = new DataView(prefix).getBigUint64(0, true);
  const most = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
  if (length > BigInt(most) || length < 2n)
    throw new CheckpointError(
      `${where}: expected a header of 2 to ${most} bytes, got a length of ${length}`,
      "this is not a safetensors file, or it was cut off",
    );
  return Number(length);
}

/** Checks the JSON header of a file of `fileBytes` bytes. Throws CheckpointError. */
export function parseHeader(json: Uint8Array, fileBytes: number, where: string): Header {
  const entries = Object.entries(parseJson(json, where));
  const dataStart = 8 + json.byteLength;
  const tensors = entries
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => parseTensor(name, entry, dataStart, `${where}: ${name}`))
    .sort((a, b) => a.start - b.start || a.end - b.end);
  let next = dataStart;
  for (const { name, start, end } of tensors) {
    if (start !== next)
      throw new CheckpointError(
        `${where}: ${name}: expected its bytes to start at ${next - dataStart}, got ${start - dataStart}: tensors ${start < next ? "overlap" : "leave a gap"}`,
      );
    next = end;
  }
  if (next !== fileBytes)
    throw new CheckpointError(
      `${where}: expected a file of ${next} bytes, got ${fileBytes}`,
      next > fileBytes ? "the file was cut off: fetch or save it again" : "there are bytes after the last tensor",
    );
  return { metadata: parseMetadata(entries.find(([name]) => name === "__metadata__")?.[1], where), tensors };
}

function parseJson(json: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${where}: expected a JSON header, got ${(cause as Error).message}`, undefined, {
      cause,
    });
  }
  if (!isRecord(value))
    throw new CheckpointError(`${where}: expected a JSON object as header, got ${text.slice(0, 40)}`);
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw new CheckpointError(`${where}: expected each name once in the header, got "${twice}" twice`);
  return value;
}

/** Whether a value has keys: an object that is no array. As in io/json.ts, which needs Node. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isRange = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0]! <= value[1]!;

function parseTensor(name: string, entry: unknown, dataStart: number, where: string): TensorInfo {
  if (!isRecord(entry)) throw new CheckpointError(`${where}: expected {dtype, shape, data_offsets}`);
  const { dtype: storedAs, shape, data_offsets: offsets, ...others } = entry;
  if (Object.keys(others).length > 0)
    throw new CheckpointError(
      `${where}: expected only dtype, shape and data_offsets, got ${Object.keys(others).join(", ")}`,
    );
  if (typeof storedAs !== "string" || !Object.hasOwn(STORED, storedAs))
    throw new CheckpointError(
      `${where}: expected a dtype among ${Object.keys(STORED).join(", ")}, got ${JSON.stringify(storedAs)}`,
    );
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw new CheckpointError(`${where}: expected a shape of non-negative integers, got ${JSON.stringify(shape)}`);
  if (!isRange(offsets))
    throw new CheckpointError(`${where}: expected data_offsets [start, end], got ${JSON.stringify(offsets)}`);
  const { dtype, bytes } = STORED[storedAs as StoredDType];
  const [start, end] = offsets;
  const needed = shape.reduce<number>((n, d: number) => n * d, bytes);
  if (!Number.isSafeInteger(needed) || end - start !== needed)
    throw new CheckpointError(
      `${where}: expected ${needed} bytes for ${storedAs} (${shape.join(", ")}), got ${end - start}`,
    );
  return {
    name,
    dtype,
    storedAs: storedAs as StoredDType,
    shape: shape as number[],
    start: dataStart + start,
    end: dataStart + end,
  };
}

function parseMetadata(value: unknown, where: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === "string"))
    throw new CheckpointError(`${where}: __metadata__: expected texts by name, got ${JSON.stringify(value)}`);
  return value as Record<string, string>;
}

/** What a file will hold: a name, a dtype and a shape, known before the bytes are. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

const RANK = Object.keys(STORED);

/** The order of the bytes in a file: wide elements first, so that all stay aligned; then by name (as the reference). */
export const fileOrder = <S extends TensorSpec>(specs: readonly S[]): S[] =>
  [...specs].sort(
    (a, b) => RANK.indexOf(storedOf[b.dtype]) - RANK.indexOf(storedOf[a.dtype]) || (a.name < b.name ? -1 : 1),
  );

/** The first bytes of a file that holds these tensors in this order, padded with spaces to a multiple of 8. */
export function formatHeader(specs: readonly TensorSpec[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, dtype, shape } of specs) {
    if (header.has(name) || name === "__metadata__")
      throw new CheckpointError(`safetensors: expected tensor names that are free, got "${name}"`);
    const start = offset;
    offset += shape.reduce((n, d) => n * d, byteSize(dtype));
    header.set(name, { dtype: storedOf[dtype], shape, data_offsets: [start, offset] });
  }
  const fields = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const out = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(out.length - 8), true);
  out.set(json, 8);
  return out;
}
