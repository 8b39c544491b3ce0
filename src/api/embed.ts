/** Embeddings in the contrastive space: the numbers that retrieval compares. */
import type { Tensor } from "../tensor/index.ts";
import { imageFeeds, textFeeds } from "./feeds.ts";
import type { Picture } from "./image-input.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { batches, createRunner, hasParameters, joinEmbeds, only } from "./runner.ts";

/** Embeds pictures and captions in the contrastive space. */
export interface Embedder {
  /** (N, E), rows of unit length. */
  images(pictures: readonly Picture[], signal?: AbortSignal): Promise<Tensor<"float32">>;
  /** (N, E), rows of unit length. */
  texts(captions: readonly string[], signal?: AbortSignal): Promise<Tensor<"float32">>;
  dispose(): void;
}

/** Undefined where the model has no contrastive space, or the state no weights of it. */
export function createEmbedder(loaded: LoadedModel, textLength: number): Embedder | undefined {
  const { device, state, model, batchSize: batch } = loaded;
  if (!model.image || !model.text) return undefined;
  const [image, text] = [
    only(model.image({ batch }), "image_embeds"),
    only(model.text({ batch, textLength }), "text_embeds"),
  ];
  if (!hasParameters(state, image) || !hasParameters(state, text)) return undefined;
  const images = createRunner(device, image, batch, { state });
  const texts = createRunner(device, text, batch, { state });
  return {
    async images(pictures, signal) {
      const parts: Tensor[] = [];
      for (const [, part] of batches(pictures, batch)) {
        const feeds = await imageFeeds({ model, signal }, part);
        parts.push((await images.run(feeds, signal)).image_embeds!);
      }
      return joinEmbeds(parts);
    },
    async texts(captions, signal) {
      const parts: Tensor[] = [];
      for (const [, part] of batches(captions, batch))
        parts.push((await texts.run(textFeeds(loaded, part, textLength), signal)).text_embeds!);
      return joinEmbeds(parts);
    },
    dispose() {
      images.dispose();
      texts.dispose();
    },
  };
}
