import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  collect,
  fakeImage,
  keysOf,
  shardFiles,
  tarOf,
  temporaryFolder,
  utf8,
  writeFiles,
} from "../../../test/support/data-fixtures.ts";
import { DataError } from "../../errors.ts";
import { openSource } from "./open.ts";
import type { BadSample } from "./source.ts";

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});

async function samplesOf(name: string, archive: Uint8Array): Promise<Awaited<ReturnType<typeof collect>>> {
  await writeFiles(root, { [name]: archive });
  return collect(await openSource(`tar:${root}/${name}`));
}

describe("tarSource", () => {
  it("groups members by their name up to the first dot", async () => {
    const archive = await tarOf({
      "a/0.jpg": fakeImage(0),
      "a/0.txt": " a cat \n",
      "a/0.cls": "7",
      "a/0.seg.png": fakeImage(9),
      "./b.png": fakeImage(1),
      "b.json": JSON.stringify({ caption: "a dog", width: 4, label: "dog", nested: { x: 1 } }),
    });
    const samples = (await samplesOf("group.tar", archive)).map(({ sample }) => sample);
    expect(samples).toEqual([
      { key: "group.tar/a/0", image: fakeImage(0), texts: ["a cat"], label: 7 },
      { key: "group.tar/b", image: fakeImage(1), texts: ["a dog"], label: "dog", meta: { width: 4 } },
    ]);
  });

  it("takes several captions from json where txt is the first of them", async () => {
    const archive = await tarOf({ "0.jpg": fakeImage(0), "0.txt": "one", "0.json": '{"captions":["one","two"]}' });
    expect((await samplesOf("many.tar", archive))[0]!.sample.texts).toEqual(["one", "two"]);
  });

  it("reads brace lists and ::", async () => {
    await writeFiles(root, {
      "list/00.tar": await tarOf(shardFiles(0, 2)),
      "list/01.tar": await tarOf(shardFiles(2, 3)),
      "more.tar": await tarOf(shardFiles(3, 4)),
    });
    const source = await openSource(`${root}/list/{00..01}.tar::${root}/more.tar`);
    expect(keysOf(await collect(source))).toEqual(["00.tar/0", "00.tar/1", "01.tar/2", "more.tar/3"]);
    expect(keysOf(await collect(await openSource(`${root}/list`)))).toHaveLength(3);
  });

  it("reads names longer than a header holds, and resumes after them", async () => {
    const long = "d/".repeat(150);
    const archive = await tarOf({ [`${long}0.txt`]: "zero", [`${long}1.txt`]: "one", "é2.txt": "two" });
    const all = await samplesOf("long.tar", archive);
    expect(keysOf(all)).toEqual([`long.tar/${long}0`, `long.tar/${long}1`, "long.tar/é2"]);
    const source = await openSource(`${root}/long.tar`);
    expect(keysOf(await collect(source, { cursor: all[0]!.cursor }))).toEqual(keysOf(all).slice(1));
  });

  it("skips and reports bad samples, with reasons", async () => {
    const bad: BadSample[] = [];
    const archive = await tarOf({
      "0.txt": new Uint8Array([0xc3, 0x28]),
      "1.jpg": fakeImage(1),
      "1.txt": "   ",
      "2.json": "{",
      "3.jpg": new Uint8Array(0),
      "4.txt": "one",
      "4.TXT": "two",
      "5.bin": fakeImage(5),
      "6.txt": "good",
    });
    await writeFiles(root, { "bad.tar": archive });
    const source = await openSource({ type: "tar", path: `${root}/bad.tar`, name: "mine" });
    expect(keysOf(await collect(source, { onBad: (b) => bad.push(b) }))).toEqual(["bad.tar/6"]);
    expect(bad.map(({ key, reason }) => `${key} ${reason}`)).toEqual([
      "bad.tar/0 the caption is not valid UTF-8",
      "bad.tar/1 the caption is missing",
      "bad.tar/2 .json: expected an object",
      "bad.tar/3 the image is empty",
      "bad.tar/4 two members named .txt",
      "bad.tar/5 no image and no text",
    ]);
    expect(bad[0]!.source).toBe("mine");
  });

  it.each(["../up.txt", "/etc/abs.txt", "a/../../b.txt", "C:\\x.txt", "..\\x.txt"])(
    "refuses an archive with the name %s",
    async (name) => {
      const archive = await tarOf({ "0.txt": "fine", [name]: "bad" });
      await expect(samplesOf("names.tar", archive)).rejects.toThrow(DataError);
      await expect(samplesOf("names.tar", archive)).rejects.toThrow(/expected names inside the archive/);
    },
  );

  it("refuses an archive that is cut anywhere", async () => {
    const archive = await tarOf(shardFiles(0, 3));
    const cuts = fc.integer({ min: 0, max: archive.length - 513 });
    await fc.assert(
      fc.asyncProperty(cuts, async (cut) => {
        const error = await samplesOf("cut.tar", archive.slice(0, cut)).catch((e) => e);
        expect(error).toBeInstanceOf(DataError);
      }),
      { numRuns: 60, examples: [[0], [1], [512], [1024], [archive.length - 1024]] },
    );
  });

  it("refuses a header that claims more bytes than are left, before reading them", async () => {
    const archive = await tarOf({ "0.txt": "x" });
    archive.set(utf8("77777777777\0"), 124); // 8 GiB
    fixChecksum(archive);
    await expect(samplesOf("claims.tar", archive)).rejects.toThrow(/claims 8589934591 bytes, \d+ are left/);
  });

  it("says that a compressed archive is compressed", async () => {
    const { gzipSync } = await import("node:zlib");
    await expect(samplesOf("z.tar", gzipSync(await tarOf(shardFiles(0, 3))))).rejects.toThrow(/gunzip/);
  });

  it("gives samples or a DataError for any damage to headers", async () => {
    const archive = await tarOf(shardFiles(0, 2));
    const damage = fc.array(fc.tuple(fc.nat(511), fc.nat(255), fc.nat(3), fc.boolean()), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const copy = archive.slice();
        for (const [at, value, header] of changes) copy[header * 1024 + at] = value;
        if (changes[0]![3]) fixChecksum(copy);
        try {
          await samplesOf("fuzz.tar", copy);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Makes the first header's checksum right again. */
function fixChecksum(archive: Uint8Array): void {
  archive.fill(32, 148, 156);
  const sum = archive.subarray(0, 512).reduce((a, b) => a + b, 0);
  archive.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
