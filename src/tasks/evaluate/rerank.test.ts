import { expect, it } from "vitest";
import type { FlavaModel } from "../../api/index.ts";
import { ranks as naiveRanks, retrieval, scores } from "../../evaluators/retrieval.ts";
import { openDevice } from "../../runtime/index.ts";
import { fromNumbers, random } from "../../tensor/index.ts";
import { requireMatching, rerank } from "./rerank.ts";

const [IMAGES, TEXTS, E, K] = [7, 15, 4, 3];
const rng = random(5, "rerank");
const rows = (count: number) =>
  fromNumbers(
    Array.from({ length: count }, () => {
      const row = Array.from({ length: E }, () => rng.normal());
      return row.map((x) => x / Math.hypot(...row));
    }).flat(),
    [count, E],
    "float32",
  );
const images = { embeds: rows(IMAGES), concepts: Array.from({ length: IMAGES }, (_, i) => `thing ${i}`) };
const texts = { embeds: rows(TEXTS), concepts: Array.from({ length: TEXTS }, (_, t) => `thing ${t % IMAGES}`) };
const captions = texts.concepts.map((concept, t) => `${concept}, caption ${t}`);
/** What the matching head says: some ties among it. */
const judge = (image: number, text: number): number => ((image * 31 + text * 17) % 11) / 11;

async function reranked(k: number) {
  const asked: string[] = [];
  const model = {
    device: await openDevice("interpret"),
    async match(picture: string, wanted: readonly string[]) {
      asked.push(...wanted.map((text) => `${picture} ${text}`));
      return wanted.map((text) => judge(Number(picture), captions.indexOf(text)));
    },
  } as unknown as FlavaModel;
  async function* pictures() {
    for (let i = 0; i < IMAGES; i++) yield String(i);
  }
  const { ranks } = await retrieval(model.device, images, texts);
  return { asked, ...(await rerank(model, { images, texts, captions, ranks }, pictures(), { k })) };
}

/** With the whole matrix: the first k by cosine, then by what the head says, ties against us. */
function naive(k: number) {
  const cosines = scores(images.embeds, texts.embeds);
  const rankOf = (candidates: { cosine: number; judged: number; right: boolean }[]): number => {
    const order = [...candidates.keys()].sort((a, b) => candidates[b]!.cosine - candidates[a]!.cosine || a - b);
    const first = order.slice(0, k).map((c) => candidates[c]!);
    const right = first.filter(({ right }) => right).map(({ judged }) => judged);
    if (right.length === 0) return Math.min(...order.flatMap((c, place) => (candidates[c]!.right ? [place] : [])));
    return first.filter((one) => !one.right && one.judged >= Math.max(...right)).length;
  };
  const of = (i: number, t: number) => ({
    cosine: cosines[i * TEXTS + t]!,
    judged: judge(i, t),
    right: images.concepts[i] === texts.concepts[t],
  });
  const all = (n: number): number[] => [...Array(n).keys()];
  return {
    text: all(IMAGES).map((i) => rankOf(all(TEXTS).map((t) => of(i, t)))),
    image: all(TEXTS).map((t) => rankOf(all(IMAGES).map((i) => of(i, t)))),
  };
}

it("puts the first k in order by what the matching head says, as a naive computation does, and compares no pair twice", async () => {
  const { ranks, pairs, asked } = await reranked(K);
  const { text, image } = naive(K);
  expect([...ranks.text]).toEqual(text);
  expect([...ranks.image]).toEqual(image);
  expect(new Set(asked).size).toBe(asked.length);
  expect(pairs).toBe(asked.length);
  expect(pairs).toBeLessThanOrEqual(K * (IMAGES + TEXTS));
});

it("with k of all candidates is the order of the head alone, and with 1 that of the dot products", async () => {
  const whole = await reranked(TEXTS);
  const judged = Float32Array.from({ length: IMAGES * TEXTS }, (_, p) => judge(Math.floor(p / TEXTS), p % TEXTS));
  expect([...whole.ranks.text]).toEqual([...naiveRanks(judged, TEXTS, (i, t) => t % IMAGES === i)]);
  expect(whole.pairs).toBe(IMAGES * TEXTS);
  const one = await reranked(1);
  const plain = await reranked(2);
  const { ranks } = await retrieval(await openDevice("interpret"), images, texts);
  expect([...one.ranks.text]).toEqual([...ranks.text]);
  expect([...one.ranks.image]).toEqual([...ranks.image]);
  expect(plain.pairs).toBeGreaterThan(one.pairs);
});

it("is refused for a model without a matching head", () => {
  expect(() => requireMatching({ gives: () => false } as unknown as FlavaModel)).toThrow(
    /matching head, got a model without\n.*--rerank/,
  );
});
