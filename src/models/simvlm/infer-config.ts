/** The sizes of a SimVLM from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import { countNumbers, type Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type SimvlmConfig, type SimvlmConfigInput, simvlmConfig } from "./config.ts";

/** Width of a head in the sizes of ViT. */
const HEAD_WIDTH = 64;

/** Reads sizes off tensors under our names. Throws CheckpointError where the shapes contradict each other. */
export function inferSimvlmConfig(where: string, tensors: Shapes): InferredConfig<SimvlmConfig> {
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const [vocabSize, hiddenSize] = shape("word_embeddings.weight") ?? [];
  const heads = Math.max(1, Math.round((hiddenSize ?? 768) / HEAD_WIDTH));
  const count = (place: RegExp): number => countNumbers(tensors, place);
  const [stemWidth, channels, patchSize] = shape("stem.conv.weight") ?? shape("stem.conv1.weight") ?? [];
  const patchify = tensors.has("stem.conv.weight");
  const side = Math.sqrt(shape("image_positions")?.[1] ?? 196) * (patchify ? patchSize! : 16);
  const image: SimvlmConfigInput["image"] = {
    ...{ stemWidth, channels, imageSize: side, stem: patchify ? "patchify" : "resnet" },
    ...(patchify
      ? {
          patchSize,
          blocks: Array.from(
            { length: count(/^stem\.block\.(\d+)\./) },
            (_, i) => shape(`stem.block.${i}.bn3.weight`)?.[0] ?? 0,
          ),
        }
      : {
          stages: [1, 2, 3].map((i) => count(new RegExp(`^stem\\.layer${i}\\.(\\d+)\\.`))) as [number, number, number],
        }),
  };
  try {
    const config = simvlmConfig({
      image,
      text: { vocabSize, maxPositions: shape("decoder_positions.weight")?.[0] },
      ...{ hiddenSize, heads, intermediateSize: shape("encoder.layer.0.mlp.fc1.weight")?.[0] },
      encoderLayers: count(/^encoder\.layer\.(\d+)\./),
      decoderLayers: count(/^decoder\.layer\.(\d+)\./),
    });
    return { config, assumed: [`heads of ${HEAD_WIDTH}, which no shape says`] };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of a SimVLM: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}
