/** One pixel to Pillow's eight-bit HSV and back, float32 where Pillow has float32 (Pillow: Convert.c, after Python's colorsys). */

const f32 = Math.fround;

/** Writes the pixel with its hue byte raised by `turn` (modulo 256) at `out[at]`. */
export function shiftHuePixel(r: number, g: number, b: number, turn: number, out: Uint8Array, at: number): void {
  const value = Math.max(r, g, b);
  const range = value - Math.min(r, g, b);
  const saturation = range === 0 ? 0 : Math.trunc(f32(range / value) * 255);
  if (saturation === 0) writeRgb(out, at, value, value, value);
  else hsvToRgb((hueByte(r, g, b, value, range) + turn) & 255, saturation, value, out, at);
}

function hueByte(r: number, g: number, b: number, value: number, range: number): number {
  const [rc, gc, bc] = [f32((value - r) / range), f32((value - g) / range), f32((value - b) / range)];
  const sixth = r === value ? f32(bc - gc) : g === value ? f32(2 + rc - bc) : f32(4 + gc - rc);
  return Math.trunc(f32((sixth / 6 + 1) % 1) * 255);
}

function hsvToRgb(hue: number, saturation: number, value: number, out: Uint8Array, at: number): void {
  const position = (hue * 6) / 255;
  const sector = Math.floor(position);
  const rest = position - sector;
  const s = saturation / 255;
  const p = Math.round(value * (1 - s));
  const q = Math.round(value * (1 - s * rest));
  const t = Math.round(value * (1 - s * (1 - rest)));
  if (sector === 1) writeRgb(out, at, q, value, p);
  else if (sector === 2) writeRgb(out, at, p, value, t);
  else if (sector === 3) writeRgb(out, at, p, q, value);
  else if (sector === 4) writeRgb(out, at, t, p, value);
  else if (sector === 5) writeRgb(out, at, value, p, q);
  else writeRgb(out, at, value, t, p);
}

function writeRgb(out: Uint8Array, at: number, r: number, g: number, b: number): void {
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
}
