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
  it("gives the label with 0 to all tags, each count and each first tag alike often", () => {
    const parts = captions.map((caption) => caption.split(", "));
    expect(parts.every(([label, ...tags]) => label === "red apple" && new Set(tags).size === tags.length)).toBe(true);
    expect(new Set(parts.flatMap((part) => part.slice(1)))).toEqual(new Set(["fruit", "food  red", "tree"]));
    for (let count = 0; count <= 3; count++) {
      const hits = parts.filter((part) => part.length === count + 1).length;
      expect(Math.abs(hits - 500)).toBeLessThan(4.5 * Math.sqrt(2000 * 0.25 * 0.75));
    }
    const first = parts.filter(([, tag]) => tag !== undefined);
    const fruit = first.filter(([, tag]) => tag === "fruit").length;
    expect(Math.abs(fruit - first.length / 3)).toBeLessThan(4.5 * Math.sqrt((first.length * 2) / 9));
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
