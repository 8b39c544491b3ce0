/** Windows bitmaps without compression, which sharp does not read: 1 to 32 bits, with palettes and masks, as Pillow reads them. */
import type { Decoded } from "./decoded.ts";

interface Head {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Size of the information header; 12 is OS/2's. */
  readonly size: number;
  /** Where the pixels begin. */
  readonly start: number;
  readonly colours: number;
}

const BITFIELDS = 3;

/** The head of a bitmap; undefined for anything else. */
export function bmpHead(bytes: Uint8Array): Head | undefined {
  if (bytes[0] !== 0x42 || bytes[1] !== 0x4d || bytes.length < 26) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, size] = [view.getUint32(10, true), view.getUint32(14, true)];
  if (size === 12) {
    const [width, height, bits] = [view.getUint16(18, true), view.getUint16(20, true), view.getUint16(24, true)];
    return { width, height, topDown: false, bits, compression: 0, size, start, colours: 0 };
  }
  if (![40, 52, 56, 64, 108, 124].includes(size) || bytes.length < 14 + size) return undefined;
  const high = view.getInt32(22, true);
  return {
    width: view.getInt32(18, true),
    height: Math.abs(high),
    topDown: high < 0,
    bits: view.getUint16(28, true),
    compression: view.getUint32(30, true),
    size,
    start,
    colours: view.getUint32(46, true),
  };
}

/** Throws for compressed bitmaps, and where bytes are missing. */
export function decodeBmp(bytes: Uint8Array): Decoded {
  const head = bmpHead(bytes);
  if (head === undefined) throw new Error("no bitmap head");
  const { width, height, bits, compression, start, topDown } = head;
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`${bits} bits a pixel`);
  if (compression !== 0 && !(compression === BITFIELDS && bits >= 16))
    throw new Error(`compression ${compression}, which is not supported`);
  const row = Math.ceil((width * bits) / 32) * 4;
  if (bytes.length < start + row * height)
    throw new Error(`${row * height} bytes wanted, ${bytes.length - start} there`);
  const { channels, pixel } = bits <= 8 ? indexed(bytes, head) : direct(bytes, head);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, o = 0; y < height; y++) {
    const line = start + (topDown ? y : height - 1 - y) * row;
    for (let x = 0; x < width; x++, o += channels) pixel(line, x, data, o);
  }
  return { width, height, data, layout: channels === 4 ? "rgba" : "rgb" };
}

interface Reader {
  readonly channels: 3 | 4;
  /** Writes pixel `x` of the line that begins at byte `line` to `out` at `o`. */
  pixel(line: number, x: number, out: Uint8Array, o: number): void;
}

/** Pixels that are places in a palette of blue, green, red. A place behind its end is black. */
function indexed(bytes: Uint8Array, { bits, size, colours }: Head): Reader {
  const step = size === 12 ? 3 : 4;
  const count = Math.min(colours || 2 ** bits, 2 ** bits);
  const palette = bytes.subarray(14 + size, 14 + size + step * count);
  return {
    channels: 3,
    pixel(line, x, out, o) {
      const shift = 8 - bits - ((x * bits) & 7);
      const at = ((bytes[line + ((x * bits) >> 3)]! >> shift) & (2 ** bits - 1)) * step;
      for (let c = 0; c < 3; c++) out[o + c] = palette[at + 2 - c] ?? 0;
    },
  };
}

/** Pixels of 16, 24 or 32 bits; a fourth mask is alpha, without one the spare bits mean nothing. */
function direct(bytes: Uint8Array, { bits, compression, size }: Head): Reader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let masks = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  if (compression === BITFIELDS) {
    const count = size >= 56 ? 4 : 3; // behind a plain header of 40 bytes stand three masks
    masks = Array.from({ length: count }, (_, i) => view.getUint32(54 + 4 * i, true));
    if (masks[3] === 0) masks.pop();
  }
  const fields = masks.map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift };
  });
  const width = bits / 8;
  return {
    channels: masks.length === 4 ? 4 : 3,
    pixel(line, x, out, o) {
      const at = line + x * width;
      let value = 0;
      for (let b = width - 1; b >= 0; b--) value = value * 256 + bytes[at + b]!;
      for (const [c, { mask, shift, most }] of fields.entries())
        out[o + c] = most === 0 ? 0 : Math.floor((((value & mask) >>> shift) * 255) / most);
    },
  };
}
