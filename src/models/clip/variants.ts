/** The named sizes of CLIP: those of arXiv:2103.00020 (table 20) and small ones. */
import { type ClipConfig, clipConfig } from "./config.ts";

const vit = (width: number, patchSize: number, imageSize = 224) => ({
  hiddenSize: width,
  layers: width / 64 === 16 ? 24 : 12,
  heads: width / 64,
  intermediateSize: 4 * width,
  patchSize,
  imageSize,
});
const words = (width: number) => ({ hiddenSize: width, heads: width / 64, intermediateSize: 4 * width });
const resnet = (blocks: ClipConfig["image"]["blocks"], width: number, imageSize: number) => ({
  tower: "resnet" as const,
  ...{ blocks, width, imageSize, heads: width / 2 },
});
const small = { hiddenSize: 192, layers: 4, heads: 3, intermediateSize: 768 };
const tiny = { hiddenSize: 64, layers: 2, heads: 2, intermediateSize: 128 };

/** "base" is ViT-B/16. */
export const clipVariants: Readonly<Record<string, ClipConfig>> = {
  tiny: clipConfig({
    image: { ...tiny, imageSize: 32, patchSize: 8 },
    text: { ...tiny, maxPositions: 32 },
    projectionDim: 64,
  }),
  small: clipConfig({
    image: { ...small, imageSize: 64, patchSize: 8 },
    text: { ...small, maxPositions: 77 },
    projectionDim: 192,
  }),
  base: clipConfig(),
  "clip-vit-b-32": clipConfig({ image: vit(768, 32) }),
  "clip-vit-l-14": clipConfig({ image: vit(1024, 14), text: words(768), projectionDim: 768 }),
  "clip-vit-l-14-336": clipConfig({ image: vit(1024, 14, 336), text: words(768), projectionDim: 768 }),
  "clip-rn50": clipConfig({ image: resnet([3, 4, 6, 3], 64, 224), projectionDim: 1024 }),
  "clip-rn101": clipConfig({ image: resnet([3, 4, 23, 3], 64, 224), projectionDim: 512 }),
  "clip-rn50x4": clipConfig({ image: resnet([4, 6, 10, 6], 80, 288), text: words(640), projectionDim: 640 }),
};
