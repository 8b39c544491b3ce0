/** Netpbm pictures (.pbm .pgm .ppm, plain and raw), which neither sharp nor browsers read: GTSRB comes as PPM (netpbm.sourceforge.net/doc). */
import type { Decoded } from "./decoded.ts";

interface Head {
  /** 1 bits, 2 grey, 3 colour. */
  readonly kind: number;
  readonly plain: boolean;
  readonly width: number;
  readonly height: number;
  /** The largest sample; 1 of bits. */
  readonly most: number;
  /** Where the samples begin. */
  readonly start: number;
}

const isSpace = (byte: number | undefined): boolean => byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);

/** The head of a picture; undefined for anything else. */
export function netpbmHead(bytes: Uint8Array): Head | undefined {
  const magic = bytes[1]! - 48;
  if (bytes[0] !== 80 || !(magic >= 1 && magic <= 6)) return undefined;
  const kind = ((magic - 1) % 3) + 1;
  const reader = numbers(bytes, 2);
  const [width, height, most] = [reader.next(), reader.next(), kind === 1 ? 1 : reader.next()];
  if (width === undefined || height === undefined || most === undefined || most < 1 || most > 65535) return undefined;
  return { kind, plain: magic <= 3, width, height, most, start: reader.at() + 1 };
}

/** Samples are scaled to 0..255 as Pillow does, halves to even. Throws where bytes are missing. */
export function decodeNetpbm(bytes: Uint8Array): Decoded {
  const head = netpbmHead(bytes);
  if (head === undefined) throw new Error("no netpbm head");
  const { kind, width, height, most } = head;
  const channels = kind === 3 ? 3 : 1;
  const samples = head.plain ? plainSamples(bytes, head, channels) : rawSamples(bytes, head, channels);
  const scaled = Uint8Array.from({ length: most + 1 }, (_, v) => halfToEven((v / most) * 255));
  const data = new Uint8Array(width * height * 3);
  for (let o = 0; o < data.length; o++) {
    const sample = samples(channels === 3 ? o : Math.floor(o / 3));
    if (sample > most) throw new Error(`a sample is ${sample}, the most is ${most}`);
    data[o] = kind === 1 ? 255 * (1 - sample) : scaled[sample]!; // 1 is black where there are bits
  }
  return { width, height, data, layout: "rgb" };
}

function rawSamples(bytes: Uint8Array, { kind, width, height, most, start }: Head, channels: number) {
  const row = kind === 1 ? Math.ceil(width / 8) : width * channels * (most > 255 ? 2 : 1);
  if (bytes.length < start + row * height)
    throw new Error(`${row * height} bytes wanted, ${bytes.length - start} there`);
  if (kind === 1)
    return (i: number): number => {
      const x = i % width;
      return (bytes[start + Math.floor(i / width) * row + (x >> 3)]! >> (7 - (x & 7))) & 1;
    };
  if (most <= 255) return (i: number): number => bytes[start + i]!;
  return (i: number): number => bytes[start + 2 * i]! * 256 + bytes[start + 2 * i + 1]!;
}

function plainSamples(bytes: Uint8Array, { kind, width, height, start }: Head, channels: number) {
  const reader = numbers(bytes, start, kind === 1);
  const all: number[] = [];
  for (let i = 0; i < width * height * channels; i++) {
    const next = reader.next();
    if (next === undefined) throw new Error(`${width * height * channels} numbers wanted, ${i} there`);
    all.push(next);
  }
  return (i: number): number => all[i]!;
}

/** Whole numbers in text, comments from # to the end of a line left out; single digits where `digits`. */
function numbers(bytes: Uint8Array, from: number, digits = false) {
  let at = from;
  const next = (): number | undefined => {
    while (isSpace(bytes[at]) || bytes[at] === 35) {
      if (bytes[at] === 35) while (at < bytes.length && bytes[at] !== 10 && bytes[at] !== 13) at++;
      else at++;
    }
    let value: number | undefined;
    while (bytes[at]! >= 48 && bytes[at]! <= 57 && (value ?? 0) < 1e9) {
      value = (value ?? 0) * 10 + bytes[at++]! - 48;
      if (digits) return value;
    }
    return value;
  };
  return { next, at: () => at };
}

function halfToEven(value: number): number {
  const whole = Math.floor(value);
  if (value - whole !== 0.5) return Math.round(value);
  return whole + (whole & 1);
}
