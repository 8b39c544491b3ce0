import { describe, expect, it } from "vitest";
import { imageFeeds, textFeeds } from "../../test/support/feeds.ts";
import { type BadSample, openSource, type Sample, sourceOf } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { decodeImage, flavaEvalImage } from "../image/index.ts";
import { flavaFamily, variants } from "../models/flava/index.ts";
import { bertTokenizer } from "../text/index.ts";
import { once } from "./evaluator.ts";
import { type Gallery, galleries, hardNegatives } from "./galleries.ts";
import { type Pair, readPairs } from "./pair-set.ts";

async function pictures(count: number): Promise<Sample[]> {
  const found: Sample[] = [];
  for await (const { sample } of (await openSource(`synthetic:${count}x40`)).samples()) found.push(sample);
  return found;
}

const pair = (key: string, more: Partial<Pair> = {}): Pair => {
  const caption = more.caption ?? `a ${key}`;
  return {
    key,
    concept: key,
    group: "",
    caption,
    captions: [caption],
    image: new Uint8Array(),
    meta: undefined,
    ...more,
  };
};

describe("readPairs", () => {
  it("leaves out what cannot be used, says so, and stops at maxPairs", async () => {
    const good = await pictures(4);
    const source = sourceOf("mixed", [
      good[0]!,
      { key: "cut", image: good[1]!.image!.slice(0, 60), texts: ["x"] },
      { key: "no image", texts: ["x"] },
      { key: "no caption", image: good[1]!.image! },
      ...good.slice(1),
    ]);
    const bad: BadSample[] = [];
    const found = await readPairs(source, { maxPairs: 3, onBad: (one) => bad.push(one) });
    expect(found.map(({ key }) => key)).toEqual(["0", "1", "2"]);
    expect(bad.map(({ key }) => key)).toEqual(["cut", "no image", "no caption"]);
    expect(bad[0]!.reason).toMatch(/expected a whole png/);
    expect(bad.slice(1).map(({ reason }) => reason)).toEqual(["the image is missing", "the caption is missing"]);
  });

  it("takes concepts and styles from the data, else from wording, else from the picture", async () => {
    const [one] = await pictures(1);
    const of = (more: Partial<Sample>): Sample => ({ ...one!, ...more });
    const found = await readPairs(
      sourceOf("s", [
        of({ key: "a", texts: ["cat, pet", "cat"], meta: { concept: "1F431", style: "noto" } }),
        of({ key: "b", texts: ["A  Cat"], meta: { style: "photo" } }),
        of({ key: "c", texts: ["a cat"] }),
        of({ key: "d", texts: ["a cat", "a pet"] }),
      ]),
      { maxPairs: 9 },
    );
    expect(found.map(({ concept, group, caption }) => [concept, group, caption])).toEqual([
      ["1F431", "noto", "cat, pet"],
      ["a cat", "", "A  Cat"],
      ["a cat", "", "a cat"],
      ["d", "", "a cat"],
    ]);
  });

  it("throws where nothing is left", async () => {
    await expect(readPairs(sourceOf("none", []), { maxPairs: 3 })).rejects.toThrow(DataError);
  });
});

describe("feeds", () => {
  it("are the whole picture and the whole caption, as for inference", async () => {
    const [one] = await pictures(1);
    const found = await imageFeeds({ model: flavaFamily.of(variants.tiny) }, [{ key: "0", image: one!.image! }]);
    const alone = flavaEvalImage(await decodeImage(one!.image!), { size: 32, codebookSize: 32 });
    expect(found.pixel_values!.shape).toEqual([1, 3, 32, 32]);
    expect(found.pixel_values!.data).toEqual(alone.pixel_values.data);
    expect(found.codebook_pixel_values!.data).toEqual(alone.codebook_pixel_values.data);
    const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat"]);
    const { input_ids, attention_mask } = textFeeds({ tokenizer }, ["a cat", "cat cat cat cat cat"], 5);
    expect([...input_ids!.data]).toEqual([2, 5, 6, 3, 0, 2, 6, 6, 6, 3]);
    expect([...attention_mask!.data]).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 1]);
  });
});

describe("once", () => {
  it("remembers results, not failures", async () => {
    let calls = 0;
    const get = once(async () => {
      if (++calls === 1) throw new Error("first");
      return calls;
    });
    await expect(get()).rejects.toThrow("first");
    expect([await get(), await get()]).toEqual([2, 2]);
  });
});

describe("galleries", () => {
  it("take all captions of pictures, and one of a named concept", () => {
    const photos = galleries([
      pair("x", { captions: ["a dog", "the dog"], caption: "a dog" }),
      pair("y", { captions: ["a dog", "A dog"], caption: "a dog" }),
    ]);
    expect(photos.map(({ texts }) => texts.map(({ text, concept }) => [text, concept]))).toEqual([
      [
        ["a dog", "x"],
        ["the dog", "x"],
        ["a dog", "y"],
      ],
    ]);
    const meta = { concept: "c" };
    const drawings = galleries([
      pair("x", { concept: "c", group: "noto", meta, captions: ["dog, pet", "dog"], caption: "dog, pet" }),
      pair("y", { concept: "c", group: "noto", meta }),
      pair("z", { concept: "c", group: "twemoji", meta }),
    ]);
    expect(drawings.map(({ pairs, texts }) => [pairs.length, texts.map(({ text }) => text)])).toEqual([
      [2, ["dog, pet"]],
      [1, ["a z"]],
    ]);
  });
});

describe("hardNegatives", () => {
  const of = (pairs: Pair[]): Gallery => galleries(pairs)[0]!;
  const scored = (i: number) => Float32Array.from([0, 1, 2, 3], (t) => (t === i ? 9 : t));
  it("rank highest among the wrong ones, and never read as an own caption", () => {
    const gallery = of([pair("p"), pair("q"), pair("r"), pair("s", { caption: "A  p" })]);
    expect(hardNegatives(gallery, 1, scored)).toEqual(["a r", "A  p", "A  p", "a r"]);
    expect(hardNegatives(of([pair("p"), pair("x", { caption: "a p" })]), 1, scored)).toEqual([undefined, undefined]);
  });
  it("are of the same subgroup where there are subgroups, whatever the scores and the order", () => {
    const animal = { meta: { subgroup: "animal" } };
    const pairs = [pair("p", animal), pair("q", animal), pair("r"), pair("s", animal)];
    const found = hardNegatives(of(pairs), 1, scored);
    expect(["a q", "a s"]).toContain(found[0]);
    expect(found[2]).toBe("a s"); // no subgroup: by score
    expect(hardNegatives(of(pairs), 1)[0]).toBe(found[0]);
    const drawn = new Set(Array.from({ length: 20 }, (_, seed) => hardNegatives(of(pairs), seed, scored)[0]));
    expect([...drawn].sort()).toEqual(["a q", "a s"]);
  });
});
