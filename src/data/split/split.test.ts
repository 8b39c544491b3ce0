import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collect, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { type BadSample, openSource, type Sample, type Source } from "../sources/index.ts";
import { Grouping, headWord, marksOf, normalCaption, splitSource, withoutSource } from "./index.ts";

const sourceOf = (samples: readonly Sample[]): Source => ({
  name: "given",
  async *samples({ onBad } = {}) {
    for (const [i, sample] of samples.entries())
      if (sample.texts?.[0] === "bad") onBad?.({ source: "given", key: sample.key, reason: "bad" });
      else yield { sample, cursor: i };
  },
});

const captioned = (...texts: string[]): Sample[] => texts.map((text, i) => ({ key: `k${i}`, texts: [text] }));
const keysIn = async (path: string): Promise<string[]> =>
  (await collect(await openSource(path))).map(({ sample }) => String(sample.meta!.key)).sort();

describe("headWord and normalCaption", () => {
  it.each([
    ["A red apple.", "apple", "red apple"],
    ["two Red APPLES", "apple", "two red apples"],
    ["cherries", "cherry", "cherries"],
    ["glass", "glass", "glass"],
    ["bird of paradise", "bird", "bird of paradise"],
    ["pies", "pie", "pies"],
    ["boxes", "box", "boxes"],
    ["a man who rides a horse", undefined, "man who rides horse"],
    ["ein Café", "café", "ein café"],
    ["★", undefined, "★"],
  ])("%s is of %s, and says %s", (caption, head, normal) => {
    expect(headWord(caption)).toBe(head);
    expect(normalCaption(caption)).toBe(normal);
  });
});

describe("Grouping", () => {
  it("puts together what shares a mark, also through others, as a search through the whole graph does", () => {
    const marks = fc.array(fc.array(fc.integer({ min: 0, max: 12 }).map(String), { maxLength: 3 }), { maxLength: 30 });
    fc.assert(
      fc.property(marks, (all) => {
        const grouping = new Grouping();
        for (const one of all) grouping.add(one);
        const { of } = grouping.groups();
        expect([...of]).toEqual(naiveGroups(all));
      }),
    );
  });

  it("holds many samples", () => {
    const grouping = new Grouping();
    for (let i = 0; i < 20_000; i++) grouping.add([`a${i >> 1}`, `b${i}`]);
    expect(grouping.groups().sizes.size).toBe(10_000);
  });
});

function naiveGroups(all: readonly (readonly string[])[]): number[] {
  const of = all.map((_, i) => i);
  for (let changed = true; changed; ) {
    changed = false;
    for (const [i, a] of all.entries())
      for (const [j, b] of all.entries())
        if (of[i]! < of[j]! && a.some((mark) => b.includes(mark))) {
          of[j] = of[i]!;
          changed = true;
        }
  }
  return of;
}

describe("splitSource", () => {
  const options = { by: "concept", validation: 0.2, test: 0.2, seed: 1, decode: false } as const;

  it("writes what it read but for what it lists, each sample once, and no concept on two sides", async () => {
    const things = Array.from({ length: 60 }, (_, i) => `${["red", "green", "blue"][i % 3]} thing${i % 20}`);
    const samples = captioned(...things, "bad", "bad");
    const out = `${await temporaryFolder()}/split`;
    const manifest = await splitSource(sourceOf(samples), out, { ...options, samplesPerShard: 7 });
    expect(manifest).toMatchObject({ read: 62, bad: 2, groups: 20, largest: 3 });
    const parts = await Promise.all(["train", "validation", "test"].map((part) => keysIn(`${out}/${part}`)));
    expect(parts.map((part) => part.length)).toEqual([36, 12, 12]);
    expect(parts.flat().sort()).toEqual(
      samples
        .slice(0, 60)
        .map(({ key }) => key)
        .sort(),
    );
    const heads = parts.map((part) => new Set(part.map((key) => things[Number(key.slice(1))]!.split(" ")[1])));
    expect([...heads[0]!].filter((head) => heads[1]!.has(head) || heads[2]!.has(head))).toEqual([]);
    expect((await readFile(`${out}/bad.jsonl`, "utf8")).trimEnd().split("\n")).toHaveLength(2);
    expect(JSON.parse(await readFile(`${out}/split.json`, "utf8"))).toEqual(manifest);
  });

  it("leaves a group that is too much for a part in training", async () => {
    const samples = captioned(...Array.from({ length: 30 }, () => "a cat"), "dog", "bird", "a green frog", "red fox");
    const out = `${await temporaryFolder()}/split`;
    const { parts } = await splitSource(sourceOf(samples), out, { ...options, validation: 0.1, test: 0 });
    expect([parts.train!.samples, parts.validation!.samples]).toEqual([31, 3]);
  });

  it("says of samples that are one concept what else divides them", async () => {
    const out = `${await temporaryFolder()}/split`;
    const same = sourceOf(captioned(...Array.from({ length: 30 }, () => "a cat")));
    await expect(splitSource(same, out, options)).rejects.toThrow(
      /30 samples in 1 group that belongs.*\n.*--by caption/,
    );
    await expect(splitSource(sourceOf([]), out, options)).rejects.toThrow(/expected samples, got none/);
    await expect(splitSource(sourceOf(captioned("one")), out, { ...options, by: "sample" })).rejects.toThrow(
      /1 samples in 1 group/,
    );
  });

  it("keeps equal pictures together that have other captions and other names", async () => {
    const root = await temporaryFolder();
    const image = (i: number) => new TextEncoder().encode(`P2 1 1 255 ${i}\n`);
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        [`${i}.pgm`, image(i >> 1)],
        [`${i}.txt`, `number ${i} as it stands on a wall`],
      ]).flat() as [string, Uint8Array | string][],
    );
    await writeFiles(`${root}/Bilder mit Ümlaut`, files);
    const manifest = await splitSource(await openSource(`${root}/Bilder mit Ümlaut`), `${root}/out`, {
      ...options,
      decode: true,
    });
    expect(manifest).toMatchObject({ read: 20, groups: 10, largest: 2 });
    expect(manifest.parts.validation!.samples).toBe(4);
  });
});

describe("withoutSource", () => {
  const training = captioned(
    "red apple",
    "Apples",
    "a pear",
    "a pear tree",
    "the PEAR.",
    "a long caption that names apples",
  );
  const held = sourceOf(captioned("green apple", "a pear"));

  it.each([
    ["concept", ["a pear tree", "a long caption that names apples"]],
    ["caption", ["red apple", "Apples", "a pear tree", "a long caption that names apples"]],
    ["sample", ["red apple", "Apples", "a pear tree", "the PEAR.", "a long caption that names apples"]],
  ] as const)("leaves out what shares a %s, and reports it", async (by, kept) => {
    const bad: BadSample[] = [];
    const placed = await collect(withoutSource(sourceOf(training), { source: held, by }), {
      onBad: (one) => bad.push(one),
    });
    expect(placed.map(({ sample }) => sample.texts![0])).toEqual(kept);
    expect(bad).toHaveLength(training.length - kept.length);
    expect(bad.every((one) => one.kept === true && one.reason.includes("held out"))).toBe(true);
  });

  it("leaves out a picture whatever its caption is", async () => {
    const image = new Uint8Array([1, 2, 3]);
    const own = sourceOf([
      { key: "a", image, texts: ["own words for it"] },
      { key: "b", image: image.slice(1) },
    ]);
    const placed = await collect(withoutSource(own, { source: sourceOf([{ key: "x", image }]), by: "caption" }));
    expect(placed.map(({ sample }) => sample.key)).toEqual(["b"]);
    expect(marksOf({ key: "a", image }, "sample")).not.toEqual(marksOf({ key: "b", image: image.slice(1) }, "sample"));
  });
});
