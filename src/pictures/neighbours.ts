/** Words that no training caption has, and the caption words nearest to them: what texts alone have taught (arXiv:2112.04482 §3.1). */
import { FlavaModel } from "../api/index.ts";
import { nearestWords, type TextVector } from "../evaluators/index.ts";
import type { WordNeighbours } from "../record/index.ts";
import type { Drawing } from "./drawing.ts";

const NEAREST = 5;

const SAID: Readonly<Record<TextVector, { readonly title: string; readonly text: string }>> = {
  text_embeds: {
    title: "Words that no caption has",
    text: "By the cosine in the space that texts share with pictures.",
  },
  mean: {
    title: "Words that no caption has by texts alone",
    text: "By the cosine of what the text encoder says of a word, the mean over its tokens, with no caption read yet.",
  },
};

/** By the vector named; undefined where there are no such words, or no captions. */
export async function wordNeighbours(drawing: Drawing, by: TextVector): Promise<WordNeighbours | undefined> {
  const { words = [], among = [], rule } = (await drawing.words?.()) ?? {};
  if (words.length === 0 || among.length === 0) return undefined;
  using asked = FlavaModel.of(drawing.context);
  const items = await nearestWords(asked, words, { among, top: NEAREST, by, signal: drawing.context.signal });
  const { title, text } = SAID[by];
  return { kind: "word-neighbours", title, text: `${rule} ${text}`, items };
}
