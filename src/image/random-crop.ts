/** The box of a random resized crop (torchvision's `RandomResizedCrop.get_params`; Szegedy et al., arXiv:1409.4842). */
import { ConfigError } from "../errors.ts";
import type { Random } from "../tensor/index.ts";
import { roundHalfEven } from "./crop.ts";
import type { Region } from "./pixels.ts";

export interface RandomCropOptions {
  /** Bounds of the share of the picture's area. */
  readonly scale: readonly [min: number, max: number];
  /** Bounds of width / height. Default 3/4 to 4/3. */
  readonly ratio?: readonly [min: number, max: number];
}

/**
 * A region of uniform area and log-uniform aspect ratio. Draws, per attempt: area, ratio, and when the size fits top, then left. After ten
 * attempts that do not fit: the largest centred region of an allowed ratio.
 */
export function randomCropRegion(width: number, height: number, options: RandomCropOptions, rng: Random): Region {
  const { scale, ratio = [3 / 4, 4 / 3] } = options;
  checkRange("scale", scale);
  checkRange("ratio", ratio);
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (scale[0] + (scale[1] - scale[0]) * rng.uniform());
    const aspect = Math.exp(low + (high - low) * rng.uniform());
    const w = roundHalfEven(Math.sqrt(area * aspect));
    const h = roundHalfEven(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const top = rng.integer(height - h + 1);
    const left = rng.integer(width - w + 1);
    return { left, top, width: w, height: h };
  }
  return centredRegion(width, height, ratio);
}

function centredRegion(width: number, height: number, [min, max]: readonly [number, number]): Region {
  const aspect = width / height;
  const w = aspect > max ? Math.max(1, roundHalfEven(height * max)) : width;
  const h = aspect < min ? Math.max(1, roundHalfEven(width / min)) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

function checkRange(name: string, [min, max]: readonly [number, number]): void {
  if (min > 0 && min <= max && Number.isFinite(max)) return;
  throw new ConfigError(`randomCropRegion: ${name}: expected 0 < min ≤ max, got [${min}, ${max}]`);
}
