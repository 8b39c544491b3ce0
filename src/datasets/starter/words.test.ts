import { describe, expect, it } from "vitest";
import { captionWords, NameIndex, singular } from "./words.ts";

describe("captionWords", () => {
  it("splits, lowers, strips accents and possessives, and brings plurals to one form", () => {
    expect(captionWords("Woman’s Hats & piñatas, e-mail")).toEqual(["woman", "hat", "pinata", "e", "mail"]);
  });

  it.each([
    ["houses", "house"],
    ["buses", "bus"],
    ["cherries", "cherry"],
    ["boxes", "box"],
    ["glasses", "glass"],
    ["axes", "axe"],
    ["wolves", "wolf"],
    ["people", "person"],
    ["peaches", "peach"],
    ["roses", "rose"],
    ["dogs", "dog"],
  ])("gives %s and %s one form", (plural, one) => {
    expect(singular(plural)).toBe(singular(one));
  });

  it.each([
    ["cape", "cap"],
    ["glass", "glas"],
    ["bus", "bu"],
    ["plane", "plan"],
  ])("keeps %s and %s apart", (a, b) => {
    expect(singular(a)).not.toBe(singular(b));
  });
});

describe("NameIndex", () => {
  const index = new NameIndex([
    ["sailboat", 1],
    ["hot dog", 2],
    ["dog", 3],
  ]);

  it("finds names as words in a row, together or apart, in singular or plural", () => {
    expect(index.find("two Sail-Boats at sea")).toBe("sailboat");
    expect(index.find("hotdogs")).toBe("hot dog");
    expect(Array.from(index.findAll("a hot dog"), ({ owners }) => owners)).toEqual([[2], [3]]);
  });

  it("finds no name inside a word or across other words", () => {
    expect(index.find("dogma, hot summer dogfish, sail a boat")).toBeUndefined();
  });
});
