/** Random colour jitter in random order, as torchvision's `ColorJitter` on PIL images. */
import { ConfigError } from "../errors.ts";
import { permutation, type Random } from "../tensor/index.ts";
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from "./colour.ts";
import type { Pixels } from "./pixels.ts";

/** Each of the first three draws a factor from [max(0, 1 − x), 1 + x]; hue a shift from [−x, x], x ≤ 0.5. */
export interface JitterOptions {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
}

/** Draws: the order (a permutation of four), then brightness, contrast, saturation and hue, whatever their order of use. */
export function colourJitter(image: Pixels, options: JitterOptions, rng: Random): Pixels {
  const order = permutation(4, rng);
  const factor = (name: "brightness" | "contrast" | "saturation"): number => {
    const low = Math.max(0, 1 - options[name]);
    return low + (1 + options[name] - low) * rng.uniform();
  };
  const brightness = factor("brightness");
  const contrast = factor("contrast");
  const saturation = factor("saturation");
  if (!(options.hue >= 0 && options.hue <= 0.5))
    throw new ConfigError(`colourJitter: hue: expected a number in 0..0.5, got ${options.hue}`);
  const hue = options.hue * (2 * rng.uniform() - 1);
  const steps: readonly ((image: Pixels) => Pixels)[] = [
    (picture) => adjustBrightness(picture, brightness),
    (picture) => adjustContrast(picture, contrast),
    (picture) => adjustSaturation(picture, saturation),
    (picture) => (options.hue === 0 ? picture : adjustHue(picture, hue)),
  ];
  return order.reduce((picture, step) => steps[step]!(picture), image as Pixels);
}
