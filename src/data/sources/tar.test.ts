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
import { rawTar, setChecksum } from "../../../test/support/tar-bytes.ts";
import { DataError } from "../../errors.ts";
import { concatBytes } from "../../io/index.ts";
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
  it("says which picture and which text of several it does not read", async () => {
    const archive = await tarOf({ "a.jpg": fakeImage(0), "a.png": fakeImage(1), "a.txt": "x", "a.caption": "y" });
    await writeFiles(root, { "several.tar": archive });
    const said: BadSample[] = [];
    const placed = await collect(await openSource(`tar:${root}/several.tar`), { onBad: (b) => said.push(b) });
    expect(placed.map(({ sample }) => sample)).toEqual([{ key: "several.tar/a", image: fakeImage(0), texts: ["x"] }]);
    expect(said).toMatchObject([
      { key: "several.tar/a", kept: true, reason: ".png, .caption not read: a sample has one picture and one text" },
    ]);
  });

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
      "bad.tar/5 no image and no text among .bin (a sample's name ends at the first dot; .jpg, .png, … .txt, .json, .cls are read)",
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

  it("refuses an archive that is cut, and between two members says that its end is missing", async () => {
    const archive = await tarOf(shardFiles(0, 3));
    const ends: number[] = []; // of members
    for (let at = 0; ends.length < 6; ) {
      at +=
        512 + Math.ceil(Number.parseInt(new TextDecoder().decode(archive.subarray(at + 124, at + 135)), 8) / 512) * 512;
      ends.push(at);
    }
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: archive.length - 1025 }), async (cut) => {
        await writeFiles(root, { "cut.tar": archive.slice(0, cut) });
        const bad: BadSample[] = [];
        const source = await openSource(`${root}/cut.tar`);
        const read = collect(source, { onBad: (b) => bad.push(b) });
        const members = ends.indexOf(cut) + 1;
        if (members === 0) {
          await expect(read).rejects.toThrow(DataError);
          return;
        }
        const half = members > 1 && members % 2 === 1; // a picture alone in its archive may be all of its sample
        expect(keysOf(await read)).toHaveLength(Math.ceil(members / 2) - (half ? 1 : 0));
        expect(bad[0]).toMatchObject({ key: "cut.tar", reason: expect.stringMatching(/no zero blocks/), kept: true });
        expect(bad).toHaveLength(half ? 2 : 1);
      }),
      { numRuns: 40, examples: [[0], [1], [512], ...ends.slice(1).map((end): [number] => [end])] },
    );
  });

  it("refuses a header that claims more bytes than are left, before reading them", async () => {
    const archive = await tarOf({ "0.txt": "x" });
    archive.set(utf8("77777777777\0"), 124); // 8 GiB
    setChecksum(archive);
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
        if (changes[0]![3]) setChecksum(copy);
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

describe("tarSource on archives as people have them", () => {
  /** Keys with texts, and what else was said. */
  async function told(
    name: string,
    archive: Uint8Array,
  ): Promise<{ samples: unknown[]; bad: string[]; notes: string[] }> {
    await writeFiles(root, { [name]: archive });
    const said: BadSample[] = [];
    const placed = await collect(await openSource(`tar:${root}/${name}`), { onBad: (b) => said.push(b) });
    const lines = (kept: boolean): string[] =>
      said.filter((b) => (b.kept ?? false) === kept).map(({ key, reason }) => `${key} ${reason}`);
    const samples = placed.map(({ sample: { key, image, texts } }) => [key, image?.[0], texts?.[0]]);
    return { samples, bad: lines(false), notes: lines(true) };
  }
  const jpg = (i: number): { body: Uint8Array } => ({ body: fakeImage(i) });

  it("reads members in any order, each sample whole, and goes on from any cursor", async () => {
    const archive = rawTar([
      { name: "b.txt", body: "bee" },
      { name: "a.jpg", ...jpg(0) },
      { name: "c.jpg", ...jpg(2) },
      { name: "a.txt", body: "ant" },
      { name: "b.jpg", ...jpg(1) },
      { name: "c.txt", body: "cow" },
    ]);
    const samples = [
      ["mixed.tar/b", 2, "bee"],
      ["mixed.tar/a", 1, "ant"],
      ["mixed.tar/c", 3, "cow"],
    ];
    expect(await told("mixed.tar", archive)).toEqual({ samples, bad: [], notes: [] });
    const source = await openSource(`${root}/mixed.tar`);
    const all = await collect(source);
    for (const [i, { cursor }] of all.entries()) expect(await collect(source, { cursor })).toEqual(all.slice(i + 1));
  });

  it("follows hard and symbolic links inside of the archive, also forward and over several steps", async () => {
    const archive = rawTar([
      { name: "pool/one", ...jpg(5) },
      { name: "d/a.jpg", type: "1", link: "pool/one" },
      { name: "d/a.txt", body: "hard" },
      { name: "d/b.jpg", type: "2", link: "../pool/./one" },
      { name: "d/b.txt", body: "soft" },
      { name: "d/c.jpg", type: "2", link: "b.jpg" },
      { name: "d/c.txt", type: "1", link: "./d/z.txt" },
      { name: "d/z.txt", body: "later" },
    ]);
    expect((await told("links.tar", archive)).samples).toEqual([
      ["links.tar/d/a", 6, "hard"],
      ["links.tar/d/b", 6, "soft"],
      ["links.tar/d/c", 6, "later"],
      ["links.tar/d/z", undefined, "later"],
    ]);
  });

  it("lists samples whose links lead nowhere, out of the archive or in a circle, and special files", async () => {
    const links = ["gone.jpg", "../../etc/passwd", "/etc/passwd", "a.jpg"];
    const archive = rawTar([
      ...links.flatMap((link, i) => [
        { name: `${"abcd"[i]}.jpg`, type: "2", link: i === 3 ? "d.jpg" : link },
        { name: `${"abcd"[i]}.txt`, body: "x" },
      ]),
      { name: "e.jpg", type: "6" },
      { name: "f.jpg", type: "S", body: "x" },
    ]);
    const { samples, bad } = await told("nowhere.tar", archive);
    expect(samples).toEqual([]);
    expect(bad).toEqual([
      expect.stringMatching(/^nowhere.tar\/a .jpg: a link to gone.jpg, which is not there: pack it again with --deref/),
      expect.stringMatching(/^nowhere.tar\/b .jpg: a link to ..\/..\/etc\/passwd, which is not there/),
      expect.stringMatching(/^nowhere.tar\/c .jpg: a link to \/etc\/passwd, which is not there/),
      "nowhere.tar/d .jpg: a link that leads back to itself",
      "nowhere.tar/e .jpg: a special file",
      "nowhere.tar/f .jpg: a sparse file: pack it again without --sparse",
    ]);
  });

  it("passes over the files of macOS, hidden files and files without an extension, and says so", async () => {
    const archive = rawTar([
      { name: "d/", type: "5" },
      { name: "d/._0.jpg", body: "apple" },
      { name: "d/0.jpg", ...jpg(0) },
      { name: "d/._0.txt", body: "apple" },
      { name: "d/0.txt", body: "zero" },
      { name: "__MACOSX/0.jpg", body: "apple" },
      { name: ".hidden.jpg", body: "x" },
      { name: "README", body: "x" },
    ]);
    const mac = "a file that macOS adds (._name, .DS_Store, __MACOSX)";
    expect(await told("mac.tar", archive)).toEqual({
      samples: [["mac.tar/d/0", 1, "zero"]],
      bad: [],
      notes: [
        `mac.tar/d/._0.jpg ${mac}`,
        `mac.tar/d/._0.txt ${mac}`,
        `mac.tar/__MACOSX/0.jpg ${mac}`,
        "mac.tar/.hidden.jpg a hidden file",
        "mac.tar/README a file without an extension",
      ],
    });
  });

  it("reads times before 1970, and names that are no UTF-8 apart from each other", async () => {
    const latin = (byte: number): Uint8Array => new Uint8Array([99, byte, 46, 116, 120, 116]);
    const archive = rawTar([
      { name: latin(0xe9), body: "one", mtime: -86400 },
      { name: latin(0xe8), body: "two" },
      { name: "cé.txt", body: "three" },
    ]);
    expect((await told("latin.tar", archive)).samples).toEqual([
      ["latin.tar/c\\xe9", undefined, "one"],
      ["latin.tar/c\\xe8", undefined, "two"],
      ["latin.tar/cé", undefined, "three"],
    ]);
  });

  it("reads archives put together with cat, one after another", async () => {
    const archive = concatBytes([rawTar([{ name: "0.txt", body: "a" }]), rawTar([{ name: "0.txt", body: "b" }])]);
    expect((await told("cat.tar", archive)).samples).toEqual([
      ["cat.tar/0", undefined, "a"],
      ["cat.tar/#2/0", undefined, "b"],
    ]);
    const rest = concatBytes([rawTar([{ name: "0.txt", body: "a" }]), utf8("no archive".repeat(60))]);
    await expect(told("rest.tar", rest)).rejects.toThrow(/expected another archive, or nothing, behind the end/);
  });

  it("reads an archive without an end, and lists its last sample if that has less than the first", async () => {
    const members = [0, 1].flatMap((i) => [
      { name: `${i}.jpg`, ...jpg(i) },
      { name: `${i}.txt`, body: "x" },
    ]);
    const whole = await told("open.tar", rawTar(members, "no end"));
    expect([whole.samples.length, whole.bad]).toEqual([2, []]);
    expect(whole.notes).toEqual(["open.tar no zero blocks mark its end: if it was cut off, samples are missing"]);
    const half = await told("half.tar", rawTar(members.slice(0, 3), "no end"));
    expect(half.samples).toHaveLength(1);
    expect(half.bad).toEqual(["half.tar/1 the archive may be cut off here: .txt missing, no zero blocks"]);
  });

  it("names the members of a sample whose picture has a longer extension", async () => {
    const archive = rawTar([
      { name: "s0.input.jpg", ...jpg(0) },
      { name: "s0.txt", body: "x" },
      { name: "h.heic", ...jpg(0) },
      { name: "h.txt", body: "x" },
      ...[1, 2, 3].flatMap((i) => [
        { name: `img.00${i}.jpg`, ...jpg(i) },
        { name: `img.00${i}.txt`, body: "x" },
      ]),
    ]);
    const { samples, bad } = await told("dots.tar", archive);
    expect(samples).toEqual([]);
    expect(bad[0]).toMatch(/^dots.tar\/s0 no image among .input.jpg, .txt \(a sample's name ends at the first dot/);
    expect(bad[1]).toMatch(/^dots.tar\/h no image among .heic, .txt/);
    expect(bad[2]).toMatch(/^dots.tar\/img no image among .001.jpg, .001.txt, .002.jpg, .002.txt … \(6\)/);
  });

  it("uses a sample without metadata that are no object, and says so; its text file may be empty", async () => {
    const { samples, bad, notes } = await told(
      "meta.tar",
      rawTar([
        { name: "0.txt", body: "x" },
        { name: "0.json", body: "[1" },
        { name: "1.txt", body: " " },
        { name: "1.json", body: '{"caption": "from json", "score": NaN}' },
        { name: "2.jpg", ...jpg(2) },
        { name: "2.json", body: "[]" },
      ]),
    );
    expect(samples).toEqual([
      ["meta.tar/0", undefined, "x"],
      ["meta.tar/1", undefined, "from json"],
    ]);
    expect(notes).toEqual(["meta.tar/0 .json: expected an object; the sample is used without it"]);
    expect(bad).toEqual(["meta.tar/2 .json: expected an object"]);
  });
});
