/** MATLAB files of level 5 as scipy and MATLAB write them, for tests: rows of numbers, texts, arrays of structures. */
import { deflateSync } from "node:zlib";

type Value = readonly number[] | string | readonly Readonly<Record<string, readonly number[] | string>>[];

/** A file with some variables, each compressed or not. */
export function matFile(variables: Readonly<Record<string, Value>>, compressed: boolean): Uint8Array {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file");
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126);
  const parts = Object.entries(variables).map(([name, value]) => {
    const whole = matrix(name, value);
    return compressed ? element(15, deflateSync(whole), false) : whole;
  });
  return new Uint8Array(Buffer.concat([header, ...parts]));
}

function element(type: number, data: Uint8Array, padded = true): Buffer {
  if (padded && data.length <= 4 && data.length > 0) {
    const small = Buffer.alloc(8);
    small.writeUInt16LE(type, 0);
    small.writeUInt16LE(data.length, 2);
    small.set(data, 4);
    return small;
  }
  const out = Buffer.alloc(8 + (padded ? 8 * Math.ceil(data.length / 8) : data.length));
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(data.length, 4);
  out.set(data, 8);
  return out;
}

const ints = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

function matrix(name: string, value: Value): Buffer {
  const parts = (kind: number, columns: number, ...rest: Buffer[]): Buffer =>
    element(
      14,
      Buffer.concat([element(6, ints(kind, 0)), element(5, ints(1, columns)), element(1, Buffer.from(name)), ...rest]),
    );
  if (typeof value === "string") {
    const codes = Uint16Array.from(value, (char) => char.charCodeAt(0));
    return parts(4, value.length, element(4, Buffer.from(codes.buffer)));
  }
  if (typeof value[0] !== "object") {
    const numbers = value as readonly number[];
    return parts(6, numbers.length, element(4, Buffer.from(Uint16Array.from(numbers).buffer)));
  }
  const rows = value as readonly Readonly<Record<string, readonly number[] | string>>[];
  const fields = Object.keys(rows[0]!);
  const names = Buffer.alloc(32 * fields.length);
  for (const [i, field] of fields.entries()) names.write(field, 32 * i);
  const values = rows.flatMap((row) => fields.map((field) => matrix("", row[field]!)));
  return parts(2, rows.length, element(5, ints(32)), element(1, names), ...values);
}
