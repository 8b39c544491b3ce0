import { describe, expect, it } from "vitest";
import { labelOf, namedIcons } from "./icons.ts";
import { readNouns, shortDefinition } from "./nouns.ts";
import type { PackageFiles } from "./tarball.ts";
import { parseGloss } from "./wordnet.ts";

const pack = (files: Readonly<Record<string, unknown>>): PackageFiles => ({
  name: "a-package",
  files: new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content)),
    ]),
  ),
});
const icons = (names: readonly string[], categories = {}): PackageFiles =>
  pack({
    "icons.json": {
      icons: Object.fromEntries(names.map((name) => [name, { body: '<path fill="currentColor"/>' }])),
    },
    "metadata.json": { categories },
  });

// Offsets as WordNet has them: a file of synsets, and for each word its senses, the commonest first.
const SYNSETS = [
  "00000001 06 n 02 seat 0 bench 0 001 @ 00000005 n 0000 | furniture for sitting (on)",
  "00000002 06 n 03 sofa 0 couch 0 lounge 0 002 @ 00000001 n 0000 ~ 00000009 n 0000 | an upholstered seat for several; she sat on it",
  "00000003 10 n 01 seal 0 001 @ 00000005 n 0000 | a message",
  "00000004 05 n 01 seal 0 001 @ 00000006 n 0000 | marine mammal",
  "00000005 06 n 01 furniture 0 000 | furnishings",
  "00000006 05 n 02 animal 0 beast 0 000 | a living organism",
  "00000007 03 n 01 idea 0 000 | a thought",
];
const index = (word: string, ...offsets: string[]): string =>
  `${word} n ${offsets.length} 1 @ ${offsets.length} 0 ${offsets.join(" ")}  `;
const nouns = readNouns(
  pack({
    "dict/data.noun": SYNSETS.join("\n"),
    "dict/index.noun": [
      "  1 a licence",
      index("sofa", "00000002"),
      index("seal", "00000003", "00000004"),
      index("idea", "00000007"),
    ].join("\n"),
  }),
);

describe("labelOf", () => {
  it.each([
    ["bird-cage-2", "bird cage"],
    ["car-duo", "car"],
    ["cat-24", "cat"],
    ["bread-two", "bread"],
    ["flat", "flat"],
    ["flat-tyre", "flat tyre"],
    ["cup-outline-filled", "cup"],
    ["404", ""],
  ])("reads %s as %j", (id, label) => {
    expect(labelOf(id)).toBe(label);
  });
});

describe("namedIcons", () => {
  it("takes one icon a name, no brands, and no longer names than asked for", () => {
    const set = icons(["sofa", "sofa-2", "a-logo-1", "a-very-long-name", "404"]);
    expect(namedIcons(set, { words: 2 }).map(({ id }) => id)).toEqual(["sofa"]);
  });

  it("takes nouns for things alone where asked, with other words for them and their kind", () => {
    const found = namedIcons(icons(["sofa", "seal-bold", "idea", "arrow-left"]), { things: true }, nouns);
    expect(found.map(({ label, tags }) => [label, tags])).toEqual([
      ["sofa", ["couch", "lounge", "seat", "bench"]],
      ["seal", ["animal", "beast"]],
    ]);
  });

  it("tints what has no colour, each icon the same each time, and keeps to an ending", () => {
    const set = icons(["a", ...Array.from({ length: 40 }, (_, i) => `thing-${String.fromCharCode(97 + i)}-duotone`)]);
    const tinted = namedIcons(set, { tinted: true, ending: "-duotone" });
    const colours = tinted.map(({ art }) => /fill="(#\w+)"/.exec((art as { svg: string }).svg)![1]);
    expect(tinted.length).toBeGreaterThan(20);
    expect(new Set(colours).size).toBeGreaterThan(5);
    expect(namedIcons(set, { tinted: true, ending: "-duotone" })).toEqual(tinted);
    expect((namedIcons(set, {})[0]!.art as { svg: string }).svg).toContain('fill="#000"');
  });

  it("reads what its makers file an icon under, in words", () => {
    const [sofa, bed] = namedIcons(icons(["sofa", "bed"], { HomeLiving: ["sofa"] }), {});
    expect([sofa!.category, bed!.category]).toEqual(["home living", undefined]);
  });
});

describe("readNouns", () => {
  it("gives the commonest sense that can be seen, or that fits a group of emoji", () => {
    expect(nouns.thing("Sofa")!.words).toEqual(["sofa", "couch", "lounge"]);
    expect(nouns.thing("seal")!.definition).toBe("marine mammal");
    expect(nouns.thing("seal", "food-drink")).toBeUndefined();
    expect([nouns.thing("idea"), nouns.thing("zebra"), nouns.thing("constructor")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("quotes the beginning of a definition", () => {
    expect(shortDefinition(parseGloss(SYNSETS[0]!))).toBe("furniture for sitting");
    expect(shortDefinition(parseGloss(SYNSETS[1]!))).toBe("an upholstered seat for several");
  });
});
