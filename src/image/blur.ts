/**
 * Gaussian blur as Pillow's `ImageFilter.GaussianBlur`: three extended box blurs per axis (Gwosdek et al., "Theoretical foundations of
 * Gaussian convolution by extended box filtering", SSVM 2011; Pillow, BoxBlur.c). Byte for byte.
 */
import { ConfigError } from "../errors.ts";
import type { Pixels } from "./pixels.ts";

const PASSES = 3;
const f32 = Math.fround;
/** Weights have 24 fractional bits. */
const UNIT = 2 ** 24;
const ROUND = UNIT / 2;

/** Blurs with a standard deviation of `radius` pixels; edges repeat their last pixel. */
export function gaussianBlur({ width, height, data }: Pixels, radius: number): Pixels {
  if (!(radius >= 0 && Number.isFinite(radius)))
    throw new ConfigError(`gaussianBlur: expected a radius ≥ 0, got ${radius}`);
  if (radius === 0) return { width, height, data: data.slice() };
  const box = boxRadius(radius);
  const out = data.slice();
  blurLines(out, { lines: height, length: width, line: width * 3, step: 3 }, box);
  blurLines(out, { lines: width, length: height, line: 3, step: width * 3 }, box);
  return { width, height, data: out };
}

/** The fractional radius whose box, applied PASSES times, has the Gaussian's variance. Float32 where Pillow has float32. */
function boxRadius(radius: number): number {
  const variance = f32(f32(f32(radius) * f32(radius)) / PASSES);
  const length = f32(Math.sqrt(12 * variance + 1));
  const whole = f32(Math.floor((length - 1) / 2));
  let rest = f32(f32(f32(2 * whole) + 1) * f32(f32(whole * f32(whole + 1)) - f32(3 * variance)));
  rest = f32(rest / f32(6 * f32(variance - f32(f32(whole + 1) * f32(whole + 1)))));
  return f32(whole + rest);
}

interface Lines {
  readonly lines: number;
  readonly length: number;
  /** Bytes from one line to the next, and from one pixel of a line to the next. */
  readonly line: number;
  readonly step: number;
}

/** Blurs every line PASSES times in place, rounding to bytes after each pass. */
function blurLines(data: Uint8Array, { lines, length, line, step }: Lines, box: number): void {
  const reach = Math.trunc(box);
  const inner = Math.trunc(f32(UNIT / f32(f32(box * 2) + 1)));
  const outer = Math.floor((UNIT - (reach * 2 + 1) * inner) / 2);
  const padding = reach + 1;
  const from = new Uint8Array(length + 2 * padding);
  const to = new Uint8Array(length);
  for (let l = 0; l < lines; l++)
    for (let channel = 0; channel < 3; channel++) {
      const start = l * line + channel;
      for (let i = 0, p = start; i < length; i++, p += step) to[i] = data[p]!;
      for (let pass = 0; pass < PASSES; pass++) {
        from.fill(to[0]!, 0, padding);
        from.set(to, padding);
        from.fill(to[length - 1]!, padding + length);
        boxLine(from, to, { reach, inner, outer });
      }
      for (let i = 0, p = start; i < length; i++, p += step) data[p] = to[i]!;
    }
}

interface BoxWeights {
  readonly reach: number;
  /** Of each pixel up to `reach` away, and of the next one on either side; 2·(reach·inner + outer) + inner = 2²⁴. */
  readonly inner: number;
  readonly outer: number;
}

/** One extended box blur of a line that is padded by reach + 1 on both sides. */
function boxLine(from: Uint8Array, to: Uint8Array, { reach, inner, outer }: BoxWeights): void {
  let sum = 0;
  for (let i = 0; i < 2 * reach + 1; i++) sum += from[i]!;
  for (let i = 0, far = 2 * reach + 2; i < to.length; i++, far++) {
    sum += from[far - 1]! - from[i]!;
    to[i] = (sum * inner + (from[i]! + from[far]!) * outer + ROUND) / UNIT;
  }
}
