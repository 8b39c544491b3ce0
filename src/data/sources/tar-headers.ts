/** Headers of tar archives: ustar, the older v7, GNU's long names and sparse files, and pax records (POSIX.1-2001, "pax"). */

/** What a header says. Names hold one character a byte, so that none is lost whatever encoding they are in. */
export interface TarHeader {
  readonly name: string;
  /** Where a link points. */
  readonly link: string;
  /** Bytes that follow. */
  readonly size: number;
  readonly flag: string;
  /** GNU: more blocks with the map of a sparse file follow before its bytes. */
  readonly extended: boolean;
}

export type TarType = "file" | "folder" | "hard link" | "symbolic link" | "sparse file" | "special file";

export const BLOCK = 512;
const TYPES: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "1": "hard link",
  "2": "symbolic link",
  "5": "folder",
  "7": "file",
  S: "sparse file",
};
/** Links, devices, folders and pipes: their size says nothing about what follows. */
const WITHOUT_BYTES = "123456";

export const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

/** Throws an Error that says what is wrong with the block. Times, owners and modes are not looked at. */
export function parseHeader(block: Uint8Array): TarHeader {
  checkSum(block);
  const flag = String.fromCharCode(block[156]!);
  const magic = bytesToName(block.subarray(257, 263));
  const prefix = magic === "ustar\0" ? textAt(block, 345, 155) : "";
  const name = textAt(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: textAt(block, 157, 100),
    size: WITHOUT_BYTES.includes(flag) ? 0 : numberAt(block, 124, 12),
    flag,
    extended: flag === "S" && block[482] === 1,
  };
}

/** The records of a pax header, `length key=value\n` each. Throws an Error where they are not that. */
export function parsePax(body: Uint8Array): ReadonlyMap<string, string> {
  const text = bytesToName(body).replace(/\0+$/, "");
  const records = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const [, digits] = /^(\d{1,10}) /.exec(text.slice(at, at + 11)) ?? [];
    const record = text.slice(at + (digits?.length ?? 0) + 1, at + Number(digits));
    const equals = record.indexOf("=");
    if (digits === undefined || equals < 1 || !record.endsWith("\n")) throw new Error("a damaged pax record");
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += Number(digits);
  }
  return records;
}

export function typeOf(flag: string, name: string, pax: ReadonlyMap<string, string>): TarType {
  if (pax.has("GNU.sparse.major") || pax.has("GNU.sparse.map")) return "sparse file";
  const type = TYPES[flag] ?? "special file";
  return type === "file" && name.endsWith("/") ? "folder" : type;
}

/** One character a byte. */
export const bytesToName = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");

/** Up to the first NUL. */
function textAt(block: Uint8Array, at: number, length: number): string {
  const text = bytesToName(block.subarray(at, at + length));
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** Octal digits, or (GNU) the number itself with the highest bit set. */
function numberAt(block: Uint8Array, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (field[0]! & 0x80) {
    const value = field.reduce((sum, byte, i) => sum * 256 + (i === 0 ? byte & 0x7f : byte), 0);
    if (field[0] !== 0x80 || !Number.isSafeInteger(value)) throw new Error("a size that is no size");
    return value;
  }
  const text = bytesToName(field);
  const digits = /^ *([0-7]*)(?:[ \0]|$)/.exec(text)?.[1];
  if (digits === undefined) throw new Error(`expected octal digits, got ${JSON.stringify(text)}`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** Some old programs added the bytes as signed numbers. */
function checkSum(block: Uint8Array): void {
  let [unsigned, signed] = [0, 0];
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 32 : block[i]!;
    unsigned += byte;
    signed += (byte << 24) >> 24;
  }
  const sum = numberAt(block, 148, 8);
  if (sum !== unsigned && sum !== signed) throw new Error("a header with a wrong checksum");
}
