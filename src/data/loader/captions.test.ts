import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawCaption, drawNegative, plainText } from "./captions.ts";

const pool = (captions: readonly (readonly string[])[]): { sample: { key: string; texts: readonly string[] } }[] =>
  captions.map((texts, i) => ({ sample: { key: `${i}`, texts } }));

describe("drawNegative", () => {
  it("replaces the share that was asked for", () => {
    const block = pool(Array.from({ length: 50 }, (_, i) => [`caption ${i}`]));
    const draws = 20_000;
    let count = 0;
    for (let ordinal = 0; ordinal < draws; ordinal++) {
      const own = block[ordinal % 50]!.sample;
      if (drawNegative(own, block, 0.1, "any", { seed: 1, stream: "pairs", epoch: 0, ordinal })) count++;
    }
    expect(Math.abs(count - 0.1 * draws)).toBeLessThan(4 * Math.sqrt(draws * 0.1 * 0.9));
  });

  it("gives a caption of a sample that shares none with this one, wherever there is such a sample", () => {
    const text = fc.constantFrom("a cat", "A  Cat", "a cät", "a dog", "a bird", "two dogs");
    const blocks = fc.array(fc.array(text, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(blocks, fc.nat(1000), (captions, ordinal) => {
        const block = pool(captions);
        const own = block[ordinal % block.length]!.sample;
        const plain = own.texts.map(plainText);
        const others = captions.filter((texts) => !texts.some((caption) => plain.includes(plainText(caption)))).flat();
        const negative = drawNegative(own, block, 1, "any", { seed: 2, stream: "s", epoch: 3, ordinal });
        if (others.length === 0) expect(negative).toBeUndefined();
        else expect(others).toContain(negative);
      }),
    );
  });

  it("finds the one other caption of a large block", () => {
    const block = pool(Array.from({ length: 1000 }, (_, i) => [i === 777 ? "other" : "same"]));
    for (let ordinal = 0; ordinal < 20; ordinal++)
      expect(drawNegative(block[0]!.sample, block, 1, "first", { seed: 0, stream: "s", epoch: 0, ordinal })).toBe(
        "other",
      );
  });
});

describe("drawCaption", () => {
  const draw = (ordinal: number) => ({ seed: 1, stream: "s", epoch: 0, ordinal });
  const sample = { key: "0", texts: ["one", "two", "three"] };

  it("takes the first, any, or a name and its tags in many wordings", () => {
    const drawn = (mode: "first" | "any"): Set<string | undefined> =>
      new Set(Array.from({ length: 60 }, (_, i) => drawCaption(sample, mode, draw(i))));
    expect(drawn("first")).toEqual(new Set(["one"]));
    expect(drawn("any")).toEqual(new Set(["one", "two", "three"]));
    const tagged = { key: "1", texts: ["tulip"], meta: { name: "tulip", tags: "plant, spring" } };
    const captions = Array.from({ length: 2000 }, (_, i) => drawCaption(tagged, "tags", draw(i)));
    const wordings = [
      "tulip",
      "a tulip",
      "tulips",
      "plant",
      "tulip, plant",
      "tulip, plant, spring",
      "tulip, spring, plant",
    ];
    expect(new Set(captions)).toEqual(new Set([...wordings, "spring", "tulip, spring"]));
  });

  it("takes no caption of another picture of the same name for a negative", () => {
    const tulip = (key: string, tags: string) => ({
      sample: { key, texts: [`tulip, ${tags}`], meta: { name: "tulip", tags } },
    });
    const block = [tulip("a", "plant"), tulip("b", "spring"), { sample: { key: "c", texts: ["rose"] } }];
    for (let i = 0; i < 50; i++) expect(drawNegative(block[0]!.sample, block, 1, "tags", draw(i))).toBe("rose");
  });
});
