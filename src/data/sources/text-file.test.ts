import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
import { DataError } from "../../errors.ts";
import { concatBytes } from "../../io/index.ts";
import { openSource } from "./open.ts";
import { openText } from "./text-file.ts";

let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
  await writeFiles(root, { "0.jpg": fakeImage(0) });
});

const lines = Array.from({ length: 200 }, (_, i) => `line ${i} ${"ü".repeat(i % 7)}`).join("\n");

describe("packed files", () => {
  it.each([
    ["a.txt", lines],
    ["a.csv", `text,label\n${lines.replaceAll("\n", ",1\n")},1`],
    ["a.tsv", `text\tlabel\n${lines.replaceAll("\n", "\t1\n")}\t1`],
    ["a.jsonl", lines.replace(/.+/g, (line) => JSON.stringify({ text: line }))],
    [
      "a.json",
      JSON.stringify({ images: [{ id: 1, file_name: "0.jpg" }], annotations: [{ image_id: 1, caption: "x" }] }),
    ],
  ])("are read as %s is, also from any cursor and in shards", async (name, text) => {
    const half = Math.floor(text.length / 2);
    const packed = concatBytes([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))]);
    await writeFiles(root, { [name]: text, [`${name}.gz`]: packed });
    const strip = (all: Awaited<ReturnType<typeof collect>>): unknown =>
      JSON.parse(JSON.stringify(all).replaceAll(`${name}.gz`, name));
    const [plain, unpacked] = [await openSource(`${root}/${name}`), await openSource(`${root}/${name}.gz`)];
    const all = await collect(plain);
    expect(all.length).toBeGreaterThan(0);
    expect(strip(await collect(unpacked))).toEqual(strip(all));
    for (const at of [0, Math.floor(all.length / 3), all.length - 1]) {
      const cursor = all[at]!.cursor;
      expect(strip(await collect(unpacked, { cursor }))).toEqual(strip(all.slice(at + 1)));
    }
    const shard = { index: 1, count: 3 };
    expect(strip(await collect(unpacked, { shard }))).toEqual(strip(await collect(plain, { shard })));
  });

  it("are refused where they are cut, or go on with something else", async () => {
    const whole = gzipSync(lines);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: whole.length - 1 }), async (cut) => {
        await writeFiles(root, { "cut.txt.gz": whole.subarray(0, cut) });
        await expect(openSource(`${root}/cut.txt.gz`).then(collect)).rejects.toThrow(DataError);
      }),
      { numRuns: 15, examples: [[whole.length - 1]] },
    );
    await writeFiles(root, { "zeros.txt.gz": concatBytes([whole, new Uint8Array(600)]) }); // as tapes are filled up
    expect(await collect(await openSource(`${root}/zeros.txt.gz`))).toHaveLength(200);
    await writeFiles(root, { "more.txt.gz": concatBytes([whole, utf8("more text")]) });
    await expect(openSource(`${root}/more.txt.gz`).then(collect)).rejects.toThrow(/expected whole gzip data/);
  });

  it("are refused where far more comes out than text can hold", async () => {
    const zeros = gzipSync(new Uint8Array(1 << 26)); // 64 MiB in 64 KiB; 20 of them make more than 1 GiB
    await writeFiles(root, { "bomb.txt.gz": concatBytes(Array(20).fill(zeros)) });
    const text = await openText(`${root}/bomb.txt.gz`, {});
    const drain = async (): Promise<void> => {
      for await (const _ of text.stream());
    };
    await expect(drain()).rejects.toThrow(/expected at most 1073741824 bytes when unpacked/);
    await text.close();
  });
});
