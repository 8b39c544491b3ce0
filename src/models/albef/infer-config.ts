/** The sizes of an ALBEF from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import type { Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type AlbefConfig, type AlbefConfigInput, albefConfig } from "./config.ts";

/** Width of a head in the published model. */
const HEAD_WIDTH = 64;

const headsOf = (width: number | undefined): number | undefined => width && Math.max(1, Math.round(width / HEAD_WIDTH));

/** Reads sizes off tensors under our names. Throws CheckpointError where the shapes contradict each other. */
export function inferAlbefConfig(
  where: string,
  tensors: Shapes,
  switches: AlbefConfigInput = {},
): InferredConfig<AlbefConfig> {
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const count = (pattern: RegExp): number =>
    new Set([...tensors.keys()].flatMap((name) => pattern.exec(name)?.[1] ?? [])).size;
  const [width, channels, patchSize] = shape("visual_encoder.patch_embed.proj.weight") ?? [];
  const positions = shape("visual_encoder.pos_embed")?.[1];
  const side = positions === undefined ? undefined : Math.round(Math.sqrt(positions - 1) * 1e6) / 1e6;
  const bert = "text_encoder.bert";
  const [vocabSize, textWidth] = shape(`${bert}.embeddings.word_embeddings.weight`) ?? [];
  const layers = count(/^text_encoder\.bert\.encoder\.layer\.(\d+)\.attention\./);
  const fusionLayers = count(/^text_encoder\.bert\.encoder\.layer\.(\d+)\.crossattention\./);
  try {
    const config = albefConfig({
      image: {
        ...{ hiddenSize: width, channels, patchSize, heads: headsOf(width) },
        imageSize: side && patchSize && side * patchSize,
        layers: count(/^visual_encoder\.blocks\.(\d+)\./),
        intermediateSize: shape("visual_encoder.blocks.0.mlp.fc1.weight")?.[0],
      },
      text: {
        ...{ hiddenSize: textWidth, vocabSize, heads: headsOf(textWidth), layers: layers - fusionLayers, fusionLayers },
        intermediateSize: shape(`${bert}.encoder.layer.0.intermediate.dense.weight`)?.[0],
        maxPositions: shape(`${bert}.embeddings.position_embeddings.weight`)?.[0],
        typeVocabSize: shape(`${bert}.embeddings.token_type_embeddings.weight`)?.[0],
      },
      projectionDim: shape("vision_proj.weight")?.[0],
      ...switches,
    });
    return { config, assumed: [`heads of ${HEAD_WIDTH}, which no shape says`] };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of an ALBEF: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}
