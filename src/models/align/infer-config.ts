/** The sizes of an ALIGN from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import { countNumbers, type Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type AlignConfigInput, type AlignImageConfig, alignConfig, blocksOf, stemWidth } from "./config.ts";
import { alignVariants, efficientnets } from "./variants.ts";

/** Width of a head in every published BERT. */
const HEAD_WIDTH = 64;

/**
 * Reads sizes off tensors under our names. No shape says the strides of an image tower, so it must be a known one: an EfficientNet or one
 * of this package's variants. Throws CheckpointError for another.
 */
export function inferAlignConfig(where: string, tensors: Shapes): InferredConfig<ReturnType<typeof alignConfig>> {
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const [vocabSize, hiddenSize] = shape("text_model.embeddings.word_embeddings.weight") ?? [];
  const text: AlignConfigInput["text"] =
    hiddenSize === undefined
      ? undefined
      : {
          ...{ vocabSize, hiddenSize, heads: Math.max(1, Math.round(hiddenSize / HEAD_WIDTH)) },
          layers: countNumbers(tensors, /^text_model\.encoder\.layer\.(\d+)\./),
          intermediateSize: shape("text_model.encoder.layer.0.intermediate.dense.weight")?.[0],
          maxPositions: shape("text_model.embeddings.position_embeddings.weight")?.[0],
          typeVocabSize: shape("text_model.embeddings.token_type_embeddings.weight")?.[0],
        };
  const image = known().find((config) => fits(config, shape));
  if (!image)
    throw new CheckpointError(
      `${where}: expected the image tower of a known EfficientNet, got one whose strides no shape says`,
      "put its config.json beside the weights",
    );
  try {
    const assumed = [`heads of ${HEAD_WIDTH}, and ${image.imageSize} pixels, which no shape says`];
    return { config: alignConfig({ image, text }), assumed };
  } catch (cause) {
    throw new CheckpointError(`${where}: expected shapes of an ALIGN: ${(cause as Error).message}`, undefined, {
      cause,
    });
  }
}

/** EfficientNets, then the variants' towers. */
const known = (): AlignImageConfig[] => [
  ...Object.values(efficientnets).map(
    ([widthCoefficient, depthCoefficient]) => alignConfig({ image: { widthCoefficient, depthCoefficient } }).image,
  ),
  ...Object.values(alignVariants).map(({ image }) => image),
];

/** Whether a tower's convolutions have these shapes. */
function fits(config: AlignImageConfig, shape: (name: string) => Shape | undefined): boolean {
  const at = (i: number): string => `vision_model.encoder.blocks.${i}`;
  const blocks = blocksOf(config);
  if (shape("vision_model.embeddings.convolution.weight")?.[0] !== stemWidth(config)) return false;
  if (shape(`${at(blocks.length)}.projection.project_conv.weight`)) return false;
  return blocks.every(({ inputs, outputs, expand, kernel }, i) => {
    const [project, depthwise] = ["projection.project_conv", "depthwise_conv.depthwise_conv"].map((name) =>
      shape(`${at(i)}.${name}.weight`),
    );
    return project?.[0] === outputs && project[1] === inputs * expand && depthwise?.[2] === kernel;
  });
}
