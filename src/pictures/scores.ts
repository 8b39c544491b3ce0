/** Who reads whom in the layers on picture and text: the score matrices of a held-out pair (the figure of arXiv:2011.15124). */
import { FlavaModel, meanOfHeads } from "../api/index.ts";
import type { Scores } from "../record/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";

/** Undefined where no layer reads picture and text at once. */
export async function scoreMatrices(drawing: Drawing): Promise<Scores | undefined> {
  const { context, pairs } = drawing;
  const [pair] = pairs;
  const outputs = context.model.pair?.({ batch: 1, textLength: 3, attentions: true })?.graph.outputs ?? {};
  if (!pair || !("multimodal_scores.0" in outputs)) return undefined;
  using asked = FlavaModel.of(context);
  const { words, layers } = await asked.scores(pair, pair.caption, { signal: context.signal });
  const rounded = (score: number): number | null => (Number.isFinite(score) ? Number(score.toFixed(3)) : null);
  return {
    kind: "scores",
    title: "Who reads whom",
    text: "Scores of a held-out pair in each layer on picture and text, before the softmax, mean over heads: text with text, text with picture, and the other way round. A hatched quarter is one that the layer does not have.",
    items: [
      {
        image: (await saveSeen(drawing, [pair])).get(pair)!,
        caption: pair.caption,
        words,
        size: layers[0]!.size,
        layers: layers.map(({ scores, heads }) => Array.from(meanOfHeads(scores, heads), rounded)),
      },
    ],
  };
}
