/** Arrays as NumPy writes them: .npy (NEP 1), and .npz, a zip archive of them. */
import { CheckpointError, DataError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { openZip } from "../../io/zip.ts";
import { halfToFloat } from "../../tensor/index.ts";

/** An array of numbers, or of strings, in C order. */
export interface NumpyArray {
  readonly shape: readonly number[];
  readonly numbers?: Float32Array;
  readonly strings?: readonly string[];
}

/** One picture's arrays are a few megabytes. */
const MAX_ARRAY_BYTES = 1 << 28;

/** The arrays of an archive whose names `wanted` takes. Throws DataError for anything that is not one, or is damaged. */
export async function readNpz(file: Bytes, wanted: (name: string) => boolean): Promise<Map<string, NumpyArray>> {
  try {
    const zip = await openZip(file);
    const found = new Map<string, NumpyArray>();
    for (const entry of zip.entries.values()) {
      const name = entry.name.replace(/\.npy$/, "");
      if (wanted(name)) found.set(name, parseNpy(`${file.name}: ${name}`, await zip.content(entry, MAX_ARRAY_BYTES)));
    }
    return found;
  } catch (error) {
    if (error instanceof CheckpointError) throw new DataError(error.message, error.help, { cause: error });
    throw error;
  }
}

/** An array of an .npy file. Throws DataError for pickled objects, other byte orders, and sizes that do not fit. */
export function parseNpy(where: string, bytes: Uint8Array): NumpyArray {
  const refuse = (what: string): DataError => new DataError(`${where}: ${what}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || view.getUint16(4) !== 0x5059)
    throw refuse("expected an array of NumPy, got other bytes");
  const wide = bytes[6]! > 1;
  const start = wide ? 12 : 10;
  const header = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (header > bytes.length) throw refuse("the header is cut off");
  const said = new TextDecoder().decode(bytes.subarray(start, header));
  const descr = /'descr':\s*'([^']+)'/.exec(said)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/
    .exec(said)?.[1]
    ?.split(",")
    .filter((n) => n.trim() !== "")
    .map(Number);
  if (descr === undefined || shape === undefined) throw refuse(`expected a type and a shape, got ${said.trim()}`);
  if (/'fortran_order':\s*True/.test(said) && shape.length > 1)
    throw refuse("expected rows one after another, got columns (fortran_order): save it with np.ascontiguousarray");
  const count = shape.reduce((a, b) => a * b, 1);
  const body = view.buffer.slice(view.byteOffset + header, view.byteOffset + bytes.length) as ArrayBuffer;
  const strings = /^<U(\d+)$/.exec(descr);
  const unit = strings ? 4 * Number(strings[1]) : NUMBERS[descr]?.bytes;
  if (unit === undefined)
    throw refuse(
      `expected numbers or strings, got the type ${descr}${descr.includes("O") ? " (pickled objects)" : ""}`,
    );
  if (count * unit !== body.byteLength)
    throw refuse(`expected ${count} elements of ${unit} bytes, got ${body.byteLength} bytes`);
  if (strings) return { shape, strings: utf32(new Uint32Array(body), count) };
  return { shape, numbers: NUMBERS[descr]!.read(body) };
}

const plain = <T extends { readonly [i: number]: number } & Iterable<number>>(
  bytes: number,
  make: new (buffer: ArrayBuffer) => T,
) => ({ bytes, read: (body: ArrayBuffer) => Float32Array.from(new make(body)) });
const whole = <T extends Iterable<bigint>>(make: new (buffer: ArrayBuffer) => T) => ({
  bytes: 8,
  read: (body: ArrayBuffer) => Float32Array.from(new make(body), Number),
});

const NUMBERS: Readonly<Record<string, { readonly bytes: number; read(body: ArrayBuffer): Float32Array }>> = {
  "<f4": plain(4, Float32Array),
  "<f8": plain(8, Float64Array),
  "<f2": { bytes: 2, read: (body) => halfToFloat(new Uint16Array(body)) },
  "<i4": plain(4, Int32Array),
  "<u4": plain(4, Uint32Array),
  "<i2": plain(2, Int16Array),
  "<u2": plain(2, Uint16Array),
  "<i8": whole(BigInt64Array),
  "<u8": whole(BigUint64Array),
  "|i1": plain(1, Int8Array),
  "|u1": plain(1, Uint8Array),
  "|b1": plain(1, Uint8Array),
};

function utf32(codes: Uint32Array, count: number): string[] {
  const width = count === 0 ? 0 : codes.length / count;
  return Array.from({ length: count }, (_, i) =>
    String.fromCodePoint(
      ...Array.from(codes.subarray(i * width, (i + 1) * width)).filter((c) => c > 0 && c < 0x110000),
    ),
  );
}
