import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { ConfigError, DataError } from "../../errors.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import type { BadSample, Sample } from "./source.ts";

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});

async function read(spec: string | SourceSpec): Promise<{ samples: Sample[]; bad: string[]; passed: string[] }> {
  const told: BadSample[] = [];
  const placed = await collect(await openSource(spec), { onBad: (b) => told.push(b) });
  const lines = (kept: boolean): string[] =>
    told.filter((b) => (b.kept ?? false) === kept).map(({ key, reason }) => `${key}: ${reason}`);
  return { samples: placed.map(({ sample }) => sample), bad: lines(false), passed: lines(true) };
}

const labels = ({ samples }: { samples: readonly Sample[] }): unknown[] =>
  samples.map(({ key, label, meta }) => [key, label, meta?.class]);

describe("classes by folder", () => {
  it("are names, deep pictures too, so that a set that lacks a class means the same by the rest", async () => {
    await writeFiles(root, {
      "set/train/ant/0.jpg": fakeImage(0),
      "set/train/bee/b/1.PNG": fakeImage(1),
      "set/train/cat/2.webp": fakeImage(2),
      "set/test/ant/0.jpg": fakeImage(0),
      "set/test/cat/2.jpg": fakeImage(2),
    });
    expect(labels(await read(`folder:${root}/set/train`))).toEqual([
      ["ant/0.jpg", "ant", "ant"],
      ["bee/b/1.PNG", "bee", "bee"],
      ["cat/2.webp", "cat", "cat"],
    ]);
    expect(labels(await read(`folder:${root}/set/test`))).toEqual([
      ["ant/0.jpg", "ant", "ant"],
      ["cat/2.jpg", "cat", "cat"],
    ]);
  });

  it("are not the folders that systems and programs leave behind; these are told", async () => {
    const hidden = [".ipynb_checkpoints", ".Trash-0", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"];
    await writeFiles(root, {
      ...Object.fromEntries(hidden.map((name) => [`sys/${name}/x.jpg`, fakeImage(0)])),
      "sys/cat/0.jpg": fakeImage(1),
      "sys/cat/._0.jpg": fakeImage(2),
      "sys/cat/@eaDir/0.jpg/SYNO.jpg": fakeImage(3),
      "sys/README.md": "x",
    });
    const { samples, bad, passed } = await read(`${root}/sys`);
    expect(labels({ samples })).toEqual([["cat/0.jpg", "cat", "cat"]]);
    expect(bad).toEqual([]);
    expect(passed.sort()).toEqual(
      [
        ...[...hidden, "cat/@eaDir"].map((path) => `${path}: a hidden or system folder is no data`),
        "README.md: .md is no picture",
        "cat/._0.jpg: a hidden or system file is no data",
      ].sort(),
    );
  });

  it("are followed through links, once, and loops are harmless", async () => {
    await writeFiles(root, { "elsewhere/1.jpg": fakeImage(1), "links/own/0.jpg": fakeImage(0) });
    await symlink(join(root, "elsewhere"), join(root, "links/far"));
    await symlink(join(root, "elsewhere"), join(root, "links/own/more"));
    await symlink(join(root, "elsewhere/1.jpg"), join(root, "links/own/2.jpg"));
    await symlink(join(root, "links"), join(root, "links/own/up"));
    await symlink(join(root, "links/own"), join(root, "links/own/self"));
    await symlink(join(root, "nowhere"), join(root, "links/own/broken.jpg"));
    const { samples, passed } = await read(`folder:${root}/links`);
    expect(labels({ samples })).toEqual([
      ["far/1.jpg", "far", "far"],
      ["own/0.jpg", "own", "own"],
      ["own/2.jpg", "own", "own"],
      ["own/more/1.jpg", "own", "own"],
    ]);
    expect(passed).toEqual([
      "own/broken.jpg: a link to nothing",
      "own/self: a link to a folder that is read already",
      "own/up: a link to a folder that is read already",
    ]);
  });

  it("are not splits: they are not read as one", async () => {
    await writeFiles(root, { "splits/train/a/0.jpg": fakeImage(0), "splits/test/a/1.jpg": fakeImage(1) });
    await expect(openSource(`${root}/splits`)).rejects.toThrow(ConfigError);
    await expect(openSource(`${root}/splits`)).rejects.toThrow(/splits test, train\n {2}help: .*splits\/test/);
  });
});

describe("captions beside pictures", () => {
  it("are read, and what has none of its name is told", async () => {
    await writeFiles(root, {
      "beside/a.png": fakeImage(0),
      "beside/a.txt": " a red cat\n",
      "beside/b.c.jpg": fakeImage(1),
      "beside/b.c.caption": "two cats",
      "beside/d.jpg": fakeImage(2),
      "beside/e.jpg": fakeImage(3),
      "beside/e.txt": "",
      "beside/f.jpg": fakeImage(4),
      "beside/f.txt": new Uint8Array([0xff, 0xfe]),
      "beside/alone.txt": "x",
    });
    const { samples, bad, passed } = await read(`${root}/beside`);
    expect(samples.map(({ key, texts }) => [key, texts])).toEqual([
      ["a.png", ["a red cat"]],
      ["b.c.jpg", ["two cats"]],
      ["d.jpg", undefined],
    ]);
    expect(bad).toEqual(["e.jpg: the caption is missing", "f.jpg: the caption is not valid UTF-8"]);
    expect(passed).toEqual(["alone.txt: a text without a picture of its name"]);
    const none = await read({ type: "folder", path: `${root}/beside`, captions: "none" });
    expect(none.samples.map(({ texts }) => texts)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it("may be the names of the classes", async () => {
    await writeFiles(root, { "named/great_white-shark/0.jpg": fakeImage(0) });
    const { samples } = await read({ type: "folder", path: `${root}/named`, captions: "class" });
    expect(samples[0]!.texts).toEqual(["great white shark"]);
  });

  it("stand in metadata.jsonl or metadata.csv of a sub-folder", async () => {
    const line = (i: number): string => JSON.stringify({ file_name: `${i}.jpg`, text: `caption ${i}` });
    await writeFiles(root, {
      "hub/train/metadata.jsonl": `${line(0)}\n`,
      "hub/train/0.jpg": fakeImage(0),
      "csv/a/metadata.csv": "file_name,text\n1.jpg,one\n",
      "csv/a/1.jpg": fakeImage(1),
      "csv/b/metadata.csv": "file_name,text\n2.jpg,two\n",
      "csv/b/2.jpg": fakeImage(2),
      "both/train/metadata.jsonl": line(0),
      "both/validation/metadata.jsonl": line(0),
    });
    expect((await read(`${root}/hub`)).samples.map(({ image, texts }) => [image, texts])).toEqual([
      [fakeImage(0), ["caption 0"]],
    ]);
    expect((await read(`${root}/csv`)).samples.map(({ image, texts }) => [image, texts])).toEqual([
      [fakeImage(1), ["one"]],
      [fakeImage(2), ["two"]],
    ]);
    await expect(openSource(`${root}/both`)).rejects.toThrow(/splits train, validation/);
  });
});

describe("a folder", () => {
  it("is read whole or what is missing is told: every file of it is a sample, bad, or passed over", async () => {
    const part = fc.string({
      unit: fc.constantFrom("a", ".", "é", "😀", " ", "jpg", ".png", ".txt", "{", "%2e"),
      minLength: 1,
      maxLength: 8,
    });
    const name = fc
      .tuple(part, part)
      .map(([a, b]) => `${a}/${b}`)
      .filter((path) => !path.split("/").some((p) => /^\.+$/.test(p)));
    const body = fc.constantFrom("x", "");
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, body), { minLength: 1, maxLength: 8, selector: ([path]) => path }),
        async (files) => {
          const folder = `${root}/names${run++}`;
          await writeFiles(folder, Object.fromEntries(files));
          const isSeen = (path: string): boolean => !path.split("/").some((p) => p.startsWith("."));
          const pictures = files.filter(([path]) => /\.(jpg|png)$/.test(path) && isSeen(path));
          if (pictures.length === 0) {
            await expect(read(`folder:${folder}`)).rejects.toThrow(DataError);
            return;
          }
          const { samples, bad, passed } = await read(`folder:${folder}`);
          expect(samples.length + bad.length).toBe(pictures.length);
          const covered = new Set([
            ...samples.map(({ key }) => key),
            ...[...bad, ...passed].map((l) => l.split(": ")[0]!),
          ]);
          const stems = new Set(pictures.map(([path]) => path.slice(0, path.lastIndexOf("."))));
          for (const [path] of files) {
            const caption = path.endsWith(".txt") && stems.has(path.slice(0, -4));
            expect(covered.has(path) || covered.has(path.split("/")[0]!) || caption, path).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("of the wrong kind is named", async () => {
    await mkdir(`${root}/empty`);
    await expect(openSource(`${root}/empty`)).rejects.toThrow(/got nothing/);
    await expect(openSource(`folder:${root}/empty`)).rejects.toThrow(/expected images below this folder, found none/);
    await expect(openSource(`folder:${root}/missing`)).rejects.toThrow(/expected a folder, got ENOENT/);
  });
});
