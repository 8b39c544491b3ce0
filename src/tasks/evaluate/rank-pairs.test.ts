import { describe, expect, it } from "vitest";
import { colourPicture } from "../../../test/support/colour-pictures.ts";
import type { FlavaModel } from "../../api/index.ts";
import type { Source } from "../../data/index.ts";
import { pairRetrieval } from "./rank-pairs.ts";

const image = colourPicture([9, 9, 9]);
const gallery = (count: number): Source => ({
  name: "things",
  async *samples() {
    for (let i = 0; i < count; i++)
      yield { sample: { key: String(i), image, texts: [`thing ${i}`], meta: { concept: `c${i}` } }, cursor: i };
  },
});
const numberOf = (text: string): number => Number(text.split(" ")[1]);

/** A model whose score of a pair is told by the numbers of picture and caption. */
function model(result: string, score: (picture: number, caption: number) => number) {
  const asked: number[] = [];
  const fake = {
    model: { family: "test", lacks: { itm_logits: "it has none" } },
    gives: (name: string) => name === result,
    async encodePair({ key }: { key: string }, texts: readonly string[]) {
      asked.push(texts.length);
      const rows = texts.map((text) => score(Number(key), numberOf(text)));
      return { [result]: { data: Float32Array.from(rows), row: (i: number) => Float32Array.of(1, 1 + rows[i]!) } };
    },
  };
  return { fake: fake as unknown as FlavaModel, asked };
}

describe("pairRetrieval", () => {
  it.each(["itm_logits", "caption_log_likelihood"])(
    "ranks all captions of a picture and all pictures of a caption by %s",
    async (by) => {
      // Caption 0 suits every picture best; each other caption its own picture.
      const { fake } = model(by, (picture, caption) => (caption === 0 ? 3 : caption === picture ? 2 : 0));
      const { metrics, chance, pairs, by: used } = await pairRetrieval(fake, [gallery(12)]);
      expect(used).toBe(by);
      expect(pairs).toBe(144);
      expect(metrics["text_retrieval_recall@1"]).toBeCloseTo(1 / 12, 12);
      expect(metrics["text_retrieval_recall@5"]).toBe(1);
      expect(metrics["image_retrieval_recall@1"]).toBeCloseTo(11 / 12, 12); // of caption 0 all pictures are equal: a miss
      expect(chance["text_retrieval_recall@10"]).toBeCloseTo(10 / 12, 12);
    },
  );
  it("draws 48 concepts of a larger gallery, the same for a seed", async () => {
    const { fake, asked } = model("itm_logits", (picture, caption) => Number(picture === caption));
    const { samples, concepts, pairs, metrics } = await pairRetrieval(fake, [gallery(60)], { seed: 4 });
    expect([samples, pairs, metrics["text_retrieval_recall@1"]]).toEqual([48, 48 * 48, 1]);
    expect(concepts).toEqual({ ranked: 48, of: 60 });
    expect(new Set(asked)).toEqual(new Set([48]));
  });
  it("says why a model that says nothing of pairs cannot", async () => {
    const { fake } = model("image_embeds", () => 0);
    await expect(pairRetrieval(fake, [gallery(3)])).rejects.toMatchObject({
      message: expect.stringMatching(
        /expected a model with a matching head, or one that writes captions, got test without one/,
      ),
      help: "it has none",
    });
  });
});
