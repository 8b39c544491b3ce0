/** The sizes of a CLIP from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import { countNumbers, type Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type ClipConfig, type ClipConfigInput, clipConfig } from "./config.ts";

/** Width of a head in every published CLIP. */
const HEAD_WIDTH = 64;

/** Reads sizes off tensors under our names; a tower that is not there has ViT-B/16's. Throws CheckpointError where the shapes contradict each other. */
export function inferClipConfig(
  where: string,
  tensors: Shapes,
  switches: ClipConfigInput = {},
): InferredConfig<ClipConfig> {
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const projection = shape("visual_projection.weight") ?? shape("text_projection.weight");
  const image = shape("vision_model.layer1.0.conv1.weight") ? resnetOf(tensors, shape) : vitOf(tensors, shape);
  try {
    const config = clipConfig({ image, text: textOf(tensors, shape), projectionDim: projection?.[0], ...switches });
    return {
      config,
      assumed: [
        `heads of ${HEAD_WIDTH}, which no shape says`,
        `activation: ${config.activation}, which no shape says (models of open_clip without "quickgelu" in their name have gelu)`,
      ],
    };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of a CLIP: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}

const headsOf = (width: number): number => Math.max(1, Math.round(width / HEAD_WIDTH));

type Of = (name: string) => Shape | undefined;

/** Side of a square of places beside one more. */
const sideOf = (places: Shape | undefined): number | undefined =>
  places && Math.round(Math.sqrt(places[0]! - 1) * 1e6) / 1e6;

function vitOf(tensors: Shapes, shape: Of): ClipConfigInput["image"] {
  const [width, channels, patchSize] = shape("vision_model.embeddings.patch_embedding.weight") ?? [];
  if (width === undefined) return undefined;
  const side = sideOf(shape("vision_model.embeddings.position_embedding.weight"));
  return {
    hiddenSize: width,
    channels,
    patchSize,
    heads: headsOf(width),
    imageSize: side && side * patchSize!,
    layers: countNumbers(tensors, /^vision_model\.encoder\.layers\.(\d+)\./),
    intermediateSize: shape("vision_model.encoder.layers.0.mlp.fc1.weight")?.[0],
  };
}

function resnetOf(tensors: Shapes, shape: Of): ClipConfigInput["image"] {
  const width = shape("vision_model.conv3.weight")?.[0] ?? 64;
  const side = sideOf(shape("vision_model.attnpool.positional_embedding"));
  const blocks = [1, 2, 3, 4].map((stage) =>
    countNumbers(tensors, new RegExp(`^vision_model\\.layer${stage}\\.(\\d+)\\.`)),
  );
  return {
    tower: "resnet",
    width,
    channels: shape("vision_model.conv1.weight")?.[1],
    heads: headsOf(32 * width),
    imageSize: side && side * 32,
    blocks: blocks as [number, number, number, number],
  };
}

function textOf(tensors: Shapes, shape: Of): ClipConfigInput["text"] {
  const [vocabSize, width] = shape("text_model.embeddings.token_embedding.weight") ?? [];
  if (width === undefined) return undefined;
  return {
    hiddenSize: width,
    vocabSize,
    heads: headsOf(width),
    maxPositions: shape("text_model.embeddings.position_embedding.weight")?.[0],
    layers: countNumbers(tensors, /^text_model\.encoder\.layers\.(\d+)\./),
    intermediateSize: shape("text_model.encoder.layers.0.mlp.fc1.weight")?.[0],
  };
}
