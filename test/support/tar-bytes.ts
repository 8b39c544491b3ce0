/** Tar archives byte by byte, as other programs than ours write them. */
import { concatBytes } from "../../src/io/index.ts";

export interface RawMember {
  /** UTF-8, unless given as bytes. */
  readonly name: string | Uint8Array;
  readonly body?: Uint8Array | string;
  /** `0` file, `1` hard link, `2` symbolic link, `5` folder, … Default `0`. */
  readonly type?: string;
  readonly link?: string;
  /** Seconds since 1970; below 0 as GNU tar writes it. */
  readonly mtime?: number;
}

const BLOCK = 512;
const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

export const rawTar = (members: readonly RawMember[], end: "end" | "no end" = "end"): Uint8Array =>
  concatBytes([...members.map(rawMember), new Uint8Array(end === "end" ? 2 * BLOCK : 0)]);

function rawMember({ name, body = "", type = "0", link = "", mtime = 0 }: RawMember): Uint8Array {
  const content = bytesOf(body);
  const out = new Uint8Array(BLOCK + Math.ceil(content.length / BLOCK) * BLOCK);
  const octal = (value: number, digits: number): Uint8Array => bytesOf(`${value.toString(8).padStart(digits, "0")}\0`);
  out.set(bytesOf(name), 0);
  out.set(octal(0o644, 7), 100);
  out.set(octal(content.length, 11), 124);
  if (mtime >= 0) out.set(octal(mtime, 11), 136);
  else {
    out.fill(0xff, 136, 148);
    new DataView(out.buffer).setInt32(144, mtime);
  }
  out.set(bytesOf(type), 156);
  out.set(bytesOf(link), 157);
  out.set(bytesOf("ustar  \0"), 257);
  out.set(content, BLOCK);
  setChecksum(out);
  return out;
}

/** Makes the checksum of the header at the start right. */
export function setChecksum(archive: Uint8Array): void {
  archive.fill(32, 148, 156);
  const sum = archive.subarray(0, BLOCK).reduce((a, b) => a + b, 0);
  archive.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
