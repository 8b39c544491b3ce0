/**
 * MATLAB's files of level 5, as much of them as lists of pictures need: arrays of numbers, texts, structures and cells, plain or
 * compressed (MathWorks, "MAT-File Format", R2024a).
 */
import { inflateSync } from "node:zlib";
import { DataError } from "../../errors.ts";

/** Numbers, a text, a cell array's values, or a structure array: one object an element. */
export type MatValue = Float64Array | string | readonly MatValue[] | readonly Readonly<Record<string, MatValue>>[];

const COMPRESSED = 15;
const MATRIX = 14;
const CELL = 1;
const STRUCT = 2;
const CHAR = 4;
const HEADER_BYTES = 128;
const MAX_BYTES = 1 << 28;

/** How numbers of each data type are read. */
const NUMBERS: Readonly<Record<number, { bytes: number; read(view: DataView, at: number): number }>> = {
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  7: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  9: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  16: { bytes: 1, read: (view, at) => view.getUint8(at) },
  17: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
};

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The variables of a file, by name. `path` is for messages. Throws DataError for anything else. */
export function readMat(path: string, bytes: Uint8Array): ReadonlyMap<string, MatValue> {
  if (bytes.length < HEADER_BYTES || bytes[126] !== 0x49 || bytes[127] !== 0x4d)
    throw new DataError(
      `${path}: expected a MATLAB file of level 5, little-endian`,
      "one saved with -v7.3 is HDF5: save it again with -v7",
    );
  const found = new Map<string, MatValue>();
  try {
    for (const { type, data } of elements(bytes.subarray(HEADER_BYTES)))
      for (const each of type === COMPRESSED ? elements(inflate(data)) : [{ type, data }]) {
        if (each.type !== MATRIX) continue;
        const { name, value } = matrix(each.data);
        if (value !== undefined) found.set(name, value);
      }
  } catch (cause) {
    throw new DataError(`${path}: a damaged MATLAB file: ${(cause as Error).message}`, undefined, { cause });
  }
  return found;
}

const inflate = (data: Uint8Array): Uint8Array => inflateSync(data, { maxOutputLength: MAX_BYTES });

/** Tag and data, each element at a multiple of eight bytes; those of at most four bytes are in the tag itself. */
function* elements(bytes: Uint8Array): Generator<Element> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const word = view.getUint32(at, true);
    const small = word >>> 16;
    const type = small > 0 ? word & 0xffff : word;
    const size = small > 0 ? small : view.getUint32(at + 4, true);
    const start = at + (small > 0 ? 4 : 8);
    if (start + size > bytes.length || (small > 0 && size > 4))
      throw new Error(`an element of ${size} bytes does not fit`);
    yield { type, data: bytes.subarray(start, start + size) };
    at = small > 0 ? at + 8 : type === COMPRESSED ? start + size : start + 8 * Math.ceil(size / 8);
  }
}

/** A matrix: flags, sizes, name, then what its class says. Classes that lists do not need give no value. */
function matrix(bytes: Uint8Array): { name: string; value: MatValue | undefined } {
  const [flags, sizes, named, ...rest] = elements(bytes);
  if (!flags || !sizes || !named) return { name: "", value: new Float64Array() }; // an empty cell
  const kind = flags.data[0]!;
  const name = new TextDecoder("latin1").decode(named.data);
  const count = Array.from(numbers(sizes)).reduce((product, n) => product * n, 1);
  if (kind === CELL) return { name, value: rest.map(({ data }) => matrix(data).value ?? new Float64Array()) };
  if (kind === STRUCT) return { name, value: structs(rest, count) };
  const [real] = rest;
  if (kind > 5 || kind === CHAR) {
    if (!real) return { name, value: kind === CHAR ? "" : new Float64Array() };
    return { name, value: kind === CHAR ? String.fromCharCode(...numbers(real)) : numbers(real) };
  }
  return { name, value: undefined };
}

function structs([width, names, ...values]: readonly Element[], count: number): readonly Record<string, MatValue>[] {
  const step = numbers(width!)[0]!;
  const all = new TextDecoder("latin1").decode(names!.data);
  if (!(step > 0)) throw new Error("names of fields have no length");
  const fields = Array.from(
    { length: all.length / step },
    (_, f) => all.slice(f * step, (f + 1) * step).split("\0")[0]!,
  );
  if (values.length !== count * fields.length)
    throw new Error(`${count} structures of ${fields.length} fields have ${values.length} values`);
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(fields.map((field, f) => [field, matrix(values[i * fields.length + f]!.data).value ?? ""])),
  );
}

function numbers({ type, data }: Element): Float64Array {
  const form = NUMBERS[type];
  if (!form) throw new Error(`numbers of the type ${type} are not read`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Float64Array.from({ length: Math.floor(data.length / form.bytes) }, (_, i) => form.read(view, i * form.bytes));
}
