/** What the model finds among held-out pairs, and what it gets wrong. */
import type { Pair } from "../evaluate/pair-set.ts";
import type { ImageToText, TextToImage } from "../report/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";
import type { Hit, Ranking } from "./ranking.ts";

const SHOWN = 6;
const CAPTIONS = 5;
const PICTURES = 8;

/** The first pictures of the lot, found or not. */
export async function foundCaptions(drawing: Drawing, ranking: Ranking): Promise<ImageToText> {
  const some = drawing.pairs.slice(0, SHOWN);
  const { candidates } = ranking.captions(some[0]!, 1);
  return {
    kind: "image-to-text",
    title: "Unseen pictures, and the captions it ranks first",
    text: `Held-out pictures drawn by lot, each compared with ${candidates} captions: the right one is green, or stands below with its rank.`,
    items: await captionItems(drawing, ranking, some),
  };
}

/** The last captions of the lot, found or not. */
export async function foundPictures(drawing: Drawing, ranking: Ranking): Promise<TextToImage> {
  const some = drawing.pairs.slice(-SHOWN);
  const ranked = some.map((pair) => ranking.pictures(pair, PICTURES));
  const files = await saveSeen(
    drawing,
    ranked.flatMap(({ hits, answer }) => [...hits.map(({ pair }) => pair), answer.pair]),
  );
  return {
    kind: "text-to-image",
    title: "Unseen captions, and the pictures it ranks first",
    text: `Held-out captions drawn by lot, each compared with ${ranked[0]!.candidates} pictures: the right one is green, or stands at the end with its rank.`,
    items: ranked.map(({ hits, answer }, i) => ({
      caption: some[i]!.caption,
      images: hits.map(({ pair, ...hit }) => ({ image: files.get(pair)!, ...hit })),
      ...answerOf(hits, { image: files.get(answer.pair)!, rank: answer.rank }),
    })),
  };
}

/** The first pictures of the lot after those whose right caption is not ranked first; undefined where there are none. */
export async function mistakes(drawing: Drawing, ranking: Ranking): Promise<ImageToText | undefined> {
  const others = drawing.pairs.slice(SHOWN);
  const wrong: Pair[] = [];
  for (const pair of others) if (wrong.length < SHOWN && ranking.captions(pair, 1).answer.rank > 1) wrong.push(pair);
  if (wrong.length === 0) return undefined;
  return {
    kind: "image-to-text",
    title: "What it gets wrong",
    text: "The next pictures of the lot whose right caption is not ranked first.",
    items: await captionItems(drawing, ranking, wrong),
  };
}

async function captionItems(drawing: Drawing, ranking: Ranking, some: readonly Pair[]): Promise<ImageToText["items"]> {
  const files = await saveSeen(drawing, some);
  return some.map((query) => {
    const { hits, answer } = ranking.captions(query, CAPTIONS);
    return {
      image: files.get(query)!,
      captions: hits.map(({ pair, ...hit }) => ({ text: pair.caption, ...hit })),
      ...answerOf(hits, { text: answer.pair.caption, rank: answer.rank }),
    };
  });
}

/** The answer is shown where it is not among the hits. */
const answerOf = <A>(hits: readonly Hit[], answer: A): { answer?: A } =>
  hits.some(({ right }) => right) ? {} : { answer };
