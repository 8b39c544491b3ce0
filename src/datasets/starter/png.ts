/**
 * A PNG encoder for small 8-bit pictures (W3C PNG, filter "none"). The preparation writes 28,000 of them: over node:zlib one
 * takes 0.5 ms where sharp's saver takes 1.2 to 1.7.
 */
import { crc32, deflateSync } from "node:zlib";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_TYPE = { 1: 0, 3: 2 } as const;

/** A PNG of rows of grey values (1 channel) or RGB (3 channels). */
export function encodePng(values: Uint8Array, width: number, height: number, channels: 1 | 3): Uint8Array {
  const row = width * channels;
  if (values.length !== row * height) {
    throw new Error(`internal: ${values.length} values for ${width} by ${height} by ${channels}`);
  }
  const filtered = new Uint8Array((row + 1) * height);
  for (let y = 0; y < height; y++) filtered.set(values.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOUR_TYPE[channels], 0, 0, 0], 8);
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(filtered)), chunk("IEND", Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([Uint8Array.from(SIGNATURE), ...parts]));
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
