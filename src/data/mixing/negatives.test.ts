import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawNegative, plainText } from "./negatives.ts";

const pool = (captions: readonly (readonly string[])[]): { sample: { key: string; texts: readonly string[] } }[] =>
  captions.map((texts, i) => ({ sample: { key: `${i}`, texts } }));

describe("drawNegative", () => {
  it("replaces the share that was asked for", () => {
    const block = pool(Array.from({ length: 50 }, (_, i) => [`caption ${i}`]));
    const draws = 20_000;
    let count = 0;
    for (let ordinal = 0; ordinal < draws; ordinal++) {
      const own = block[ordinal % 50]!.sample;
      if (drawNegative(own, block, 0.1, { seed: 1, stream: "pairs", epoch: 0, ordinal })) count++;
    }
    expect(Math.abs(count - 0.1 * draws)).toBeLessThan(4 * Math.sqrt(draws * 0.1 * 0.9));
  });

  it("gives a caption of the block that differs from every own one, wherever there is one", () => {
    const text = fc.constantFrom("a cat", "A  Cat", "a cät", "a dog", "a bird", "two dogs");
    const blocks = fc.array(fc.array(text, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(blocks, fc.nat(1000), (captions, ordinal) => {
        const block = pool(captions);
        const own = block[ordinal % block.length]!.sample;
        const plain = own.texts.map(plainText);
        const others = captions.flat().filter((caption) => !plain.includes(plainText(caption)));
        const negative = drawNegative(own, block, 1, { seed: 2, stream: "s", epoch: 3, ordinal });
        if (others.length === 0) expect(negative).toBeUndefined();
        else expect(others).toContain(negative);
      }),
    );
  });

  it("finds the one other caption of a large block", () => {
    const block = pool(Array.from({ length: 1000 }, (_, i) => [i === 777 ? "other" : "same"]));
    for (let ordinal = 0; ordinal < 20; ordinal++)
      expect(drawNegative(block[0]!.sample, block, 1, { seed: 0, stream: "s", epoch: 0, ordinal })).toBe("other");
  });
});
