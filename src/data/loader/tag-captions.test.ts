import { describe, expect, it } from "vitest";
import { random } from "../../tensor/index.ts";
import type { Sample } from "../sources/source.ts";
import { evaluationCaption, joinTags, pluralOf, starterCaption } from "./tag-captions.ts";

const sample = {
  key: "a",
  texts: ["red apple", "red apple, fruit"],
  meta: { name: "red apple", tags: joinTags(["fruit", "food, red", "tree"]), definition: "grows on trees" },
};
const drawn = (from: Sample): string[] =>
  Array.from({ length: 4000 }, (_, i) => starterCaption(from, random(1, "test", i)));
const captions = drawn(sample);
const share = (is: (caption: string) => boolean, of = captions): number => of.filter(is).length / of.length;
const near = (value: number): number => 4.5 * Math.sqrt((value * (1 - value)) / captions.length);

describe("starterCaption", () => {
  it("gives the name alone, a tag, some or all tags, or a definition, each in its share", () => {
    const tags = (caption: string): number => caption.split(", ").length - 1;
    const isAlone = (caption: string): boolean => /^(a )?red apples?$/.test(caption);
    for (const [is, expected] of [
      [isAlone, 0.3],
      [(caption: string) => ["fruit", "food  red", "tree"].includes(caption), 0.06],
      [(caption: string) => caption === "red apple: grows on trees", 0.1],
      [(caption: string) => tags(caption) === 3, 0.26 + 0.28 / 3],
      [(caption: string) => tags(caption) > 0 && caption.startsWith("red apple, "), 0.54],
    ] as const)
      expect(Math.abs(share(is) - expected)).toBeLessThan(near(expected));
    expect(share((caption) => caption === "a red apple")).toBeGreaterThan(0.03);
    expect(share((caption) => caption === "red apples")).toBeGreaterThan(0.02);
  });

  it("is the same for the same draw", () => {
    expect(starterCaption(sample, random(1, "test", 7))).toBe(captions[7]);
  });

  it("names what has neither tags nor a definition", () => {
    const bare = drawn({ key: "b", texts: ["ox"], meta: { name: "ox", tags: "" } });
    expect([...new Set(bare)].sort()).toEqual(["an ox", "ox", "oxes"]);
    const sign = drawn({ key: "b", texts: ["x"], meta: { name: "ON! arrow", tags: "" } });
    expect(new Set(sign)).toEqual(new Set(["ON! arrow"]));
  });

  it("draws one of the texts of a sample without a name", () => {
    const texts = Array.from({ length: 50 }, (_, i) =>
      starterCaption({ key: "b", texts: ["x", "y"] }, random(1, "test", i)),
    );
    expect(new Set(texts)).toEqual(new Set(["x", "y"]));
    expect(starterCaption({ key: "c" }, random(1, "test"))).toBe("");
  });
});

describe("pluralOf", () => {
  it.each([
    ["tulip", "tulips"],
    ["fox", "foxes"],
    ["strawberry", "strawberries"],
    ["toy", "toys"],
    ["fire woman", "fire women"],
    ["glasses", "glasses"],
  ])("%s → %s", (name, plural) => {
    expect(pluralOf(name)).toBe(plural);
  });
});

describe("evaluationCaption", () => {
  it("takes the first tags, all of them by default", () => {
    expect(evaluationCaption("tulip", ["flower", "plant"])).toBe("tulip, flower, plant");
    expect(evaluationCaption("tulip", ["flower", "plant"], 1)).toBe("tulip, flower");
    expect(evaluationCaption("tulip", ["flower"], 0)).toBe("tulip");
  });
});
