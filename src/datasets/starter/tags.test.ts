import { describe, expect, it } from "vitest";
import type { Concept } from "./concepts.ts";
import { emojilibTags, openmojiTags, withTags } from "./tags.ts";
import type { PackageFiles } from "./tarball.ts";

const pack = (path: string, json: unknown): PackageFiles => ({
  name: "a-package",
  files: new Map([[path, new TextEncoder().encode(JSON.stringify(json))]]),
});
const concept = (id: string, label: string, tags: readonly string[]): Concept => ({
  id,
  label,
  tags,
  group: "food-drink",
  subgroup: "food-fruit",
  aliases: [],
  skins: [],
  family: id,
});

describe("withTags", () => {
  it("adds what is new, once, after the tags that are there", () => {
    const concepts = [concept("1f34c", "banana", ["fruit"]), concept("1f350", "pear", ["fruit"])];
    const index = new Map([["1f34c", ["yellow", "Fruit", "Banana", "sweet", "Yellow"]]]);
    const [banana, pear] = withTags(concepts, index);
    expect(banana).toEqual(concept("1f34c", "banana", ["fruit", "yellow", "sweet"]));
    expect(pear).toEqual(concepts[1]);
  });
});

describe("openmojiTags", () => {
  it("reads the authors' own tags, which commas part", () => {
    const entry = {
      hexcode: "1F34C",
      group: "food",
      subgroups: "fruit",
      annotation: "",
      openmoji_tags: "yellow,, sweet ",
    };
    expect(openmojiTags(pack("data/openmoji.json", [entry]))).toEqual(new Map([["1f34c", ["yellow", "sweet"]]]));
  });
});

describe("emojilibTags", () => {
  const file = "dist/emoji-en-US.json";

  it("finds concepts by their characters, without variation selectors, and reads underscores as spaces", () => {
    const tags = emojilibTags(pack(file, { "🥝": ["kiwi_fruit", "food"], "❤️‍🔥": ["heart_on_fire"] }));
    expect(tags).toEqual(
      new Map([
        ["1f95d", ["kiwi fruit", "food"]],
        ["2764-200d-1f525", ["heart on fire"]],
      ]),
    );
  });

  it("names package and file where something else is in it", () => {
    expect(() => emojilibTags(pack(file, { "🥝": "food" }))).toThrow(/a-package dist\/emoji-en-US.json: /);
  });
});
