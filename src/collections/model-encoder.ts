/** A FLAVA as the encoder of a collection. */
import { createHash } from "node:crypto";
import type { FlavaModel } from "../api/index.ts";
import { CheckpointError } from "../errors.ts";
import type { Encoder } from "./encoder.ts";

/** Changes with what is done to pictures before the model sees them, so that indexes are built anew. */
const PREPROCESSING = 1;

/** The encoder of a model. Throws CheckpointError where it embeds no pictures. */
export async function modelEncoder(model: FlavaModel): Promise<Encoder> {
  const { image: whole, tokenizer } = model.processor;
  if (!whole) {
    const { family, lacks } = model.model;
    throw new CheckpointError(`expected a model with an image encoder, got ${family} without one`, lacks?.image_embeds);
  }
  const { size: resized, cropSize: size = resized, codebookSize: full, codebookCropSize: codebookSize = full } = whole;
  const facts = [model.weightsHash, PREPROCESSING, whole, tokenizer?.json];
  const hash = createHash("sha256").update(JSON.stringify(facts));
  const shape = [1, 3, size, size];
  const blank = { dtype: "float32", shape, data: new Float32Array(3 * size * size) } as const;
  const { image_embeds } = await model.encodeImage({ pixel_values: blank }, { outputs: ["image_embeds"] });
  return {
    identity: hash.digest("hex"),
    width: image_embeds.shape[1]!,
    batchSize: model.batchSize,
    build: { size, codebookSize, augment: null, whole, mask: null },
    async images(pixel_values, signal) {
      const found = await model.encodeImage({ pixel_values }, { outputs: ["image_embeds"], signal });
      return found.image_embeds.data;
    },
    async texts(list, signal) {
      return (await model.encodeText(list, { outputs: ["text_embeds"], signal })).text_embeds.data;
    },
  };
}
