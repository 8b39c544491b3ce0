import { describe, expect, it } from "vitest";
import { random } from "../../tensor/index.ts";
import { evaluationCaption, joinTags, starterCaption } from "./tag-captions.ts";

const sample = {
  key: "a",
  texts: ["red apple", "red apple, fruit"],
  meta: { name: "red apple", tags: joinTags(["fruit", "food, red", "tree"]) },
};
const captions = Array.from({ length: 2000 }, (_, i) => starterCaption(sample, random(1, "test", i)));

describe("starterCaption", () => {
  it("gives the label, then all tags, each order alike often", () => {
    const orders = new Map<string, number>();
    for (const caption of captions) orders.set(caption, (orders.get(caption) ?? 0) + 1);
    const tags = ["fruit", "food  red", "tree"];
    const expected = tags.flatMap((a) =>
      tags.filter((b) => b !== a).map((b) => [a, b, tags.find((c) => c !== a && c !== b)]),
    );
    expect([...orders.keys()].sort()).toEqual(expected.map((order) => ["red apple", ...order].join(", ")).sort());
    const near = 4.5 * Math.sqrt(captions.length * (1 / 6) * (5 / 6));
    for (const count of orders.values()) expect(Math.abs(count - captions.length / 6)).toBeLessThan(near);
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
