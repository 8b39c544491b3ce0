import { describe, expect, it } from "vitest";
import { random } from "../../tensor/index.ts";
import { evaluationCaption, joinTags, starterCaption } from "./caption.ts";

const sample = {
  key: "a",
  texts: ["red apple", "red apple, fruit"],
  meta: { name: "red apple", tags: joinTags(["fruit", "food, red", "tree"]) },
};
const captions = Array.from({ length: 2000 }, (_, i) => starterCaption(sample, random(1, "test", i)));

describe("starterCaption", () => {
  const near = (hits: number, share: number, of = captions.length): void =>
    expect(Math.abs(hits - of * share)).toBeLessThan(4.5 * Math.sqrt(of * share * (1 - share)));

  it("gives each number of names alike often, and each tag too", () => {
    const parts = captions.map((caption) => caption.split(", "));
    expect(parts.every((names) => new Set(names).size === names.length)).toBe(true);
    expect(new Set(parts.flat())).toEqual(new Set(["red apple", "fruit", "food  red", "tree"]));
    for (let count = 1; count <= 4; count++) near(parts.filter(({ length }) => length === count).length, 1 / 4);
    const tags = parts.flat().filter((name) => name !== "red apple");
    near(tags.filter((tag) => tag === "fruit").length, 1 / 3, tags.length);
  });

  it("begins half of the captions with the label, and gives the other half any of the names in any order", () => {
    // The other half: k of 4 names, k uniform in 1..4, the label first in a quarter, and somewhere in (1 + 2 + 3 + 4) / 16.
    near(captions.filter((caption) => caption.startsWith("red apple")).length, 1 / 2 + 1 / 8);
    near(captions.filter((caption) => caption.includes("red apple")).length, 1 / 2 + 10 / 32);
  });

  it("is the same for the same draw, and keeps to maxTags", () => {
    expect(starterCaption(sample, random(1, "test", 7))).toBe(captions[7]);
    const short = Array.from({ length: 50 }, (_, i) => starterCaption(sample, random(1, "test", i), { maxTags: 1 }));
    expect(Math.max(...short.map((caption) => caption.split(", ").length))).toBe(2);
  });

  it("draws one of the texts of a sample without tags", () => {
    const drawn = Array.from({ length: 50 }, (_, i) =>
      starterCaption({ key: "b", texts: ["x", "y"] }, random(1, "test", i)),
    );
    expect(new Set(drawn)).toEqual(new Set(["x", "y"]));
    expect(starterCaption({ key: "c" }, random(1, "test"))).toBe("");
  });
});

describe("evaluationCaption", () => {
  it("takes the first tags, all of them by default", () => {
    expect(evaluationCaption("tulip", ["flower", "plant"])).toBe("tulip, flower, plant");
    expect(evaluationCaption("tulip", ["flower", "plant"], 1)).toBe("tulip, flower");
    expect(evaluationCaption("tulip", ["flower"], 0)).toBe("tulip");
  });
});
