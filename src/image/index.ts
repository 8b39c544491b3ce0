export {
  type BlockMaskOptions,
  blockMask,
  FLAVA_BLOCK_MASK,
  type MaskPositions,
  maskPositions,
  scaledBlockMask,
} from "./block-mask.ts";
export { gaussianBlur } from "./blur.ts";
export * from "./branches.ts";
export { adjustBrightness, adjustContrast, adjustHue, adjustSaturation, greyscale, solarize } from "./colour.ts";
export { type CropRounding, centerCrop, flipHorizontal, resizeShorter } from "./crop.ts";
export { type DecodeOptions, decodeImage, MAX_PIXELS, toRgb } from "./decode.ts";
export { type DinoOptions, type DinoSizes, type DinoViewOptions, dinoOptions, dinoView, dinoViews } from "./dino.ts";
export type { Filter } from "./filters.ts";
export { IMAGE_EXTENSIONS, type ImageFormat, type ImageHeader, readImageHeader } from "./header.ts";
export { colourJitter, type JitterOptions } from "./jitter.ts";
export { lab } from "./lab.ts";
export * from "./normalize.ts";
export * from "./pipeline.ts";
export { filledPixels, type Pixels, pixels, type Region, type Size } from "./pixels.ts";
export { imageOptionsFromJson, imageOptionsToJson } from "./preprocessor.ts";
export { type RandomCropOptions, randomCropRegion } from "./random-crop.ts";
export {
  type Box,
  crop,
  cropResize,
  type FirstPass,
  type ResizeOptions,
  type ResizeTarget,
  resize,
  resizeEach,
} from "./resize.ts";
