/** Image–text matching: whether the head of the multimodal encoder tells a picture's caption from a wrong one. */

import { imageFeeds, type Picture, textFeeds } from "../evaluators/pair-set.ts";
import { multimodalGraph } from "../models/flava/index.ts";
import type { EvaluationContext } from "./context.ts";
import { batches, createRunner, hasParameters, only } from "./runner.ts";

/** A picture with a caption, and whether it is its own. */
export interface Match {
  readonly picture: Picture;
  readonly text: string;
  readonly matched: boolean;
}

export interface Matcher {
  /** For each, whether the head says that it matches. */
  judge(matches: readonly Match[], signal?: AbortSignal): Promise<boolean[]>;
  dispose(): void;
}

/** Undefined where the state has no multimodal encoder or no matching head. Nothing is masked, as in use after training. */
export function createMatcher(context: EvaluationContext, textLength: number): Matcher | undefined {
  const { device, state, model } = context;
  const batch = context.recipe.evaluation.batchSize;
  const graph = only(multimodalGraph(model, { batch, textLength }), "itm_logits");
  if (!hasParameters(state, graph)) return undefined;
  const runner = createRunner(device, graph, batch, { state });
  return {
    async judge(matches, signal) {
      const said: boolean[] = [];
      for (const [, part] of batches(matches, batch)) {
        const pictures = part.map(({ picture }) => picture);
        const texts = part.map(({ text }) => text);
        const feeds = { ...(await imageFeeds({ model, signal }, pictures)), ...textFeeds(context, texts, textLength) };
        const { data } = (await runner.run(feeds, signal)).itm_logits!;
        for (let i = 0; i < part.length; i++) said.push(data[2 * i + 1]! > data[2 * i]!);
      }
      return said;
    },
    dispose: () => runner.dispose(),
  };
}

/** Share of right answers. */
export const accuracyOf = (matches: readonly Match[], said: readonly boolean[]): number =>
  matches.filter(({ matched }, i) => matched === said[i]).length / matches.length;
