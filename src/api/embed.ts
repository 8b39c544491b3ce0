/** Embeddings in the contrastive space: the numbers that retrieval compares. */

import { imageFeeds, type Picture, textFeeds } from "../evaluators/pair-set.ts";
import { imageGraph, textGraph } from "../models/flava/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { EvaluationContext } from "./context.ts";
import { batches, createRunner, hasParameters, joinEmbeds, only } from "./runner.ts";

export interface Embedder {
  /** (N, E), rows of unit length. */
  images(pictures: readonly Picture[], signal?: AbortSignal): Promise<Tensor<"float32">>;
  /** (N, E), rows of unit length. */
  texts(captions: readonly string[], signal?: AbortSignal): Promise<Tensor<"float32">>;
  dispose(): void;
}

/** Undefined where the state has no contrastive projections. */
export function createEmbedder(context: EvaluationContext, textLength: number): Embedder | undefined {
  const { device, state, model } = context;
  const batch = context.recipe.evaluation.batchSize;
  const [image, text] = [
    only(imageGraph(model, { batch }), "image_embeds"),
    only(textGraph(model, { batch, textLength }), "text_embeds"),
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
        parts.push((await texts.run(textFeeds(context, part, textLength), signal)).text_embeds!);
      return joinEmbeds(parts);
    },
    dispose() {
      images.dispose();
      texts.dispose();
    },
  };
}
