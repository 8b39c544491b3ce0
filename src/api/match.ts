/** Image–text matching: whether the head of the multimodal encoder says that a caption belongs to a picture. */
import { imageFeeds, textFeeds } from "./feeds.ts";
import type { Picture } from "./image-input.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { batches, createRunner, hasParameters, only } from "./runner.ts";

/** A picture beside a caption. */
export interface PictureText {
  readonly picture: Picture;
  readonly text: string;
}

/** Judges whether captions belong to pictures. */
export interface Matcher {
  /** For each, whether the head says that it matches. */
  matches(couples: readonly PictureText[], signal?: AbortSignal): Promise<boolean[]>;
  dispose(): void;
}

/** Undefined where the model has no matching head, or the state no weights of it. Nothing is masked, as in use after training. */
export function createMatcher(loaded: LoadedModel, textLength: number): Matcher | undefined {
  const { device, state, model, batchSize: batch } = loaded;
  const graph = model.pair && only(model.pair({ batch, textLength }), "itm_logits");
  if (!graph || !hasParameters(state, graph)) return undefined;
  const runner = createRunner(device, graph, batch, { state });
  return {
    async matches(couples, signal) {
      const said: boolean[] = [];
      for (const [, part] of batches(couples, batch)) {
        const pictures = part.map(({ picture }) => picture);
        const texts = part.map(({ text }) => text);
        const feeds = { ...(await imageFeeds({ model, signal }, pictures)), ...textFeeds(loaded, texts, textLength) };
        const { data } = (await runner.run(feeds, signal)).itm_logits!;
        for (let i = 0; i < part.length; i++) said.push(data[2 * i + 1]! > data[2 * i]!);
      }
      return said;
    },
    dispose: () => runner.dispose(),
  };
}
