/** The sizes of a FLAVA from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import type { DvaeConfigInput } from "../dvae/config.ts";
import type { Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type FlavaConfig, type FlavaConfigInput, flavaConfig } from "./config.ts";

/** Width of a head in all published ViTs and BERTs. */
const HEAD_WIDTH = 64;

/**
 * Reads sizes off tensors named as in the published checkpoint; parts that are not there have the base model's. `switches` is what their
 * code base computes differently. Throws CheckpointError where the shapes contradict each other.
 */
export function inferFlavaConfig(
  where: string,
  tensors: Shapes,
  switches: FlavaConfigInput = {},
): InferredConfig<FlavaConfig> {
  const assumed: string[] = [];
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const encoder = (part: string): Encoder | undefined => encoderOf(tensors, `flava.${part}_model.`, part, assumed);
  if (tensors.has("flava.multimodal_model.encoder.layer.0.attention_self.query.weight"))
    throw new CheckpointError(
      `${where}: expected FLAVA's own multimodal layers, got layers whose shapes do not say which modality reads which`,
      "put its config.json beside the weights",
    );
  const [image, text, multimodal] = [encoder("image"), encoder("text"), encoder("multimodal")];
  const codebook = codebookOf(tensors);
  const words =
    shape("mim_head.decoder.weight")?.[0] ?? shape("mmm_image_head.decoder.weight")?.[0] ?? codebook?.vocabSize;
  const projection = shape("flava.image_projection.weight") ?? shape("flava.text_projection.weight");
  try {
    const config = flavaConfig({
      image: { ...image, ...(image && picturesOf(where, shape, multimodal !== undefined)), vocabSize: words },
      text: { ...text, ...(text && wordsOf(shape)) },
      multimodal: multimodal && { ...multimodal, clsToken: tensors.has("flava.multimodal_model.cls_token") },
      codebook: codebook ?? null,
      projectionDim: projection?.[0],
      ...switches,
    });
    return { config, assumed };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of a FLAVA: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}

interface Encoder {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number | undefined;
  readonly qkvBias: boolean;
}

function encoderOf(tensors: Shapes, scope: string, part: string, assumed: string[]): Encoder | undefined {
  const first = `${scope}encoder.layer.0.`;
  const hiddenSize = tensors.get(`${first}attention.attention.query.weight`)?.shape[0];
  if (hiddenSize === undefined) return undefined;
  const heads = headsOf(hiddenSize);
  assumed.push(
    `${part} encoder: ${heads} ${heads === 1 ? "head" : "heads"} of ${hiddenSize / heads}, which no shape says`,
  );
  return {
    hiddenSize,
    heads,
    layers: highest(tensors, new RegExp(`^${scope.replaceAll(".", "\\.")}encoder\\.layer\\.(\\d+)\\.`)) + 1,
    intermediateSize: tensors.get(`${first}intermediate.dense.weight`)?.shape[0],
    qkvBias: tensors.has(`${first}attention.attention.query.bias`),
  };
}

/** Heads of 64, or of the widest that divides a width which 64 does not. */
function headsOf(width: number): number {
  let head = Math.min(HEAD_WIDTH, width);
  while (width % head) head--;
  return width / head;
}

/** The highest number that names have at a place; −1 where none has. */
const highest = (tensors: Shapes, place: RegExp): number =>
  [...tensors.keys()].reduce((most, name) => Math.max(most, Number(place.exec(name)?.[1] ?? -1)), -1);

function picturesOf(
  where: string,
  shape: (name: string) => Shape | undefined,
  whole: boolean,
): FlavaConfigInput["image"] {
  const embeddings = "flava.image_model.embeddings.";
  const [, channels, patchSize] = shape(`${embeddings}patch_embeddings.projection.weight`) ?? [];
  const positions = shape(`${embeddings}position_embeddings`)?.[1];
  const grid = positions === undefined ? undefined : Math.sqrt(positions - 1);
  if (grid !== undefined && !Number.isInteger(grid))
    throw new CheckpointError(`${where}: expected position embeddings of a square and CLS, got ${positions}`);
  return {
    channels,
    patchSize,
    imageSize: grid !== undefined && patchSize !== undefined ? grid * patchSize : undefined,
    // A published image encoder comes without: it gets one. A whole FLAVA without has none.
    maskToken: !whole || shape(`${embeddings}mask_token`) !== undefined,
  };
}

function wordsOf(shape: (name: string) => Shape | undefined): FlavaConfigInput["text"] {
  const rows = (name: string): number | undefined => shape(`flava.text_model.embeddings.${name}.weight`)?.[0];
  return {
    vocabSize: rows("word_embeddings"),
    maxPositions: rows("position_embeddings"),
    typeVocabSize: rows("token_type_embeddings"),
  };
}

function codebookOf(tensors: Shapes): DvaeConfigInput | undefined {
  const input = tensors.get("image_codebook.blocks.input.weight")?.shape;
  if (!input) return undefined;
  return {
    hiddenSize: input[0],
    channels: input[1],
    groups: highest(tensors, /^image_codebook\.blocks\.group_(\d+)\./),
    blocksPerGroup: highest(tensors, /^image_codebook\.blocks\.group_1\.group\.block_(\d+)\./),
    vocabSize: tensors.get("image_codebook.blocks.output.conv.weight")?.shape[0],
  };
}
