/** What the model finds among held-out pairs, and what it gets wrong. */
import type { Pair } from "../evaluators/index.ts";
import type { ImageToText, TextToImage } from "../record/index.ts";
import { type Drawing, saveSeen } from "./drawing.ts";
import type { Ranked, Ranking } from "./ranking.ts";

const SHOWN = 6;
const CAPTIONS = 5;
const PICTURES = 8;

/** The first pictures of the shuffled order, found or not. */
export async function foundCaptions(drawing: Drawing, ranking: Ranking): Promise<ImageToText> {
  const some = drawing.pairs.slice(0, SHOWN);
  const among = counted(some.map((pair) => ranking.captions(pair, 1)));
  return {
    kind: "image-to-text",
    title: "Unseen pictures, and the captions it ranks first",
    text: `Held-out pictures picked at random, each compared with ${among} captions: the right one is green, or stands below with its rank.`,
    items: await captionItems(drawing, ranking, some),
  };
}

/** The last captions of the shuffled order, found or not. */
export async function foundPictures(drawing: Drawing, ranking: Ranking): Promise<TextToImage> {
  const some = drawing.pairs.slice(-SHOWN);
  const ranked = some.map((pair) => ranking.pictures(pair, PICTURES));
  const files = await saveSeen(
    drawing,
    ranked.flatMap(({ hits, answer }) => [...hits.map(({ candidate }) => candidate), answer.candidate]),
  );
  return {
    kind: "text-to-image",
    title: "Unseen captions, and the pictures it ranks first",
    text: `Held-out captions picked at random, each compared with ${counted(ranked)} pictures: the right one is green, or stands at the end with its rank.`,
    items: ranked.map(({ caption, hits, answer }) => ({
      caption,
      images: hits.map(({ candidate, ...hit }) => ({ image: files.get(candidate)!, ...hit })),
      ...answerOf(hits, { image: files.get(answer.candidate)!, rank: answer.rank }),
    })),
  };
}

/** The next pictures whose right caption is not ranked first; undefined where there are none. */
export async function mistakes(drawing: Drawing, ranking: Ranking): Promise<ImageToText | undefined> {
  const others = drawing.pairs.slice(SHOWN);
  const wrong: Pair[] = [];
  for (const pair of others) if (wrong.length < SHOWN && ranking.captions(pair, 1).answer.rank > 1) wrong.push(pair);
  if (wrong.length === 0) return undefined;
  return {
    kind: "image-to-text",
    title: "What it gets wrong",
    text: "The next pictures, picked the same way, whose right caption is not ranked first.",
    items: await captionItems(drawing, ranking, wrong),
  };
}

async function captionItems(drawing: Drawing, ranking: Ranking, some: readonly Pair[]): Promise<ImageToText["items"]> {
  const files = await saveSeen(drawing, some);
  return some.map((query) => {
    const { hits, answer } = ranking.captions(query, CAPTIONS);
    return {
      image: files.get(query)!,
      captions: hits.map(({ candidate, ...hit }) => ({ text: candidate.text, ...hit })),
      ...answerOf(hits, { text: answer.candidate.text, rank: answer.rank }),
    };
  });
}

/** "164" candidates, or "162–164" where the queries are of several groups. */
function counted(ranked: readonly Pick<Ranked<unknown>, "among">[]): string {
  const counts = ranked.map(({ among }) => among);
  return [...new Set([Math.min(...counts), Math.max(...counts)])].join("–");
}

/** The answer is shown where it is not among the hits. */
const answerOf = <A>(hits: Ranked<unknown>["hits"], answer: A): { answer?: A } =>
  hits.some(({ right }) => right) ? {} : { answer };
