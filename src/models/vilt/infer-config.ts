/** The sizes of a ViLT from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import type { Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type ViltConfig, type ViltConfigInput, viltConfig } from "./config.ts";

/** Width of a head in the published ViLT. */
const HEAD_WIDTH = 64;

/** Reads sizes off tensors under our names. Throws CheckpointError where the shapes contradict each other. */
export function inferViltConfig(
  where: string,
  tensors: Shapes,
  switches: ViltConfigInput = {},
): InferredConfig<ViltConfig> {
  const shape = (name: string): Shape | undefined => tensors.get(`vilt.${name}`)?.shape;
  const [width, channels, patchSize] = shape("embeddings.patch_embeddings.projection.weight") ?? [];
  const positions = shape("embeddings.position_embeddings")?.[1];
  const side = positions === undefined ? undefined : Math.round(Math.sqrt(positions - 1) * 1e6) / 1e6;
  const layers = [...tensors.keys()].flatMap((name) => /^vilt\.encoder\.layer\.(\d+)\./.exec(name)?.[1] ?? []);
  try {
    const config = viltConfig({
      hiddenSize: width,
      layers: new Set(layers).size,
      heads: width && Math.max(1, Math.round(width / HEAD_WIDTH)),
      intermediateSize: shape("encoder.layer.0.intermediate.dense.weight")?.[0],
      qkvBias: tensors.has("vilt.encoder.layer.0.attention.attention.query.bias"),
      image: { channels, patchSize, imageSize: side && patchSize && side * patchSize },
      text: {
        vocabSize: shape("embeddings.text_embeddings.word_embeddings.weight")?.[0],
        maxPositions: shape("embeddings.text_embeddings.position_embeddings.weight")?.[0],
        typeVocabSize: shape("embeddings.text_embeddings.token_type_embeddings.weight")?.[0],
      },
      modalities: shape("embeddings.token_type_embeddings.weight")?.[0],
      tiedDecoder: tensors.has("mlm_score.transform.dense.weight") && !tensors.has("mlm_score.decoder.weight"),
      matchingHead: tensors.has("rank_output.weight") && !tensors.has("itm_score.fc.weight") ? "rank" : "itm",
      ...switches,
    });
    const eps = `an epsilon of ${config.layerNormEps} in the transformer's norms, which no shape says`;
    return { config, assumed: [`heads of ${HEAD_WIDTH}, which no shape says`, eps] };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of a ViLT: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}
