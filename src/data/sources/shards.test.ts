import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, listSource, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { rawTar } from "../../../test/support/tar-bytes.ts";
import { DataError } from "../../errors.ts";
import { openSource } from "./open.ts";
import { buildShards } from "./shards.ts";
import type { BadSample, Sample, Source } from "./source.ts";

let root: string;
let samples: Sample[];
beforeAll(async () => {
  root = await temporaryFolder();
  const all = await collect(await openSource("synthetic:25x16"));
  samples = all.map(({ sample }, i) => ({
    ...sample,
    ...(i % 4 === 0 && { texts: [...sample.texts!, `second ${i}`] }),
    ...(i % 3 === 0 && { label: `class ${i}` }),
    meta: { source: "drawn", part: i % 2 === 0 },
  }));
});

describe("buildShards", () => {
  it("counts regions of a detector, which shards do not hold, and objects that are none when read", async () => {
    const out = `${root}/without-regions`;
    const regions = { count: 1, width: 1, features: Float32Array.of(1), boxes: Float32Array.of(0, 0, 1, 1) };
    const objects = { classes: [1, 2], boxes: [0, 0, 1, 1] };
    const [first, second] = samples as [Sample, Sample];
    const given = listSource("seen", [
      { ...first, regions },
      { ...second, objects },
    ]);
    expect(await buildShards([given], out)).toMatchObject({ samples: 2, bad: 0, notes: 1 });
    const noted: BadSample[] = [];
    const back = await collect(await openSource(out), { onBad: (bad: BadSample) => noted.push(bad) });
    expect(back.map(({ sample }) => sample.objects)).toEqual([first.objects, undefined]);
    expect(noted).toMatchObject([{ kept: true, reason: expect.stringMatching(/objects: expected/) }]);
  });

  it("writes shards that give the same samples back", async () => {
    const out = `${root}/out`;
    const manifest = await buildShards(
      [listSource("a", samples.slice(0, 15)), listSource("b", samples.slice(15))],
      out,
      { samplesPerShard: 10 },
    );
    expect(manifest.samples).toBe(25);
    expect(manifest.sources).toEqual([
      { name: "a", samples: 15 },
      { name: "b", samples: 10 },
    ]);
    expect(manifest.shards.map((shard) => [shard.file, shard.samples])).toEqual([
      ["000000.tar", 10],
      ["000001.tar", 10],
      ["000002.tar", 5],
    ]);
    expect(manifest.notes).toBe(0);
    const back = (await collect(await openSource(out))).map(({ sample }) => sample);
    expect(
      back.map(({ key, meta, ...rest }) => ({
        ...rest,
        key: meta!.key,
        meta: { source: meta!.source, part: meta!.part },
      })),
    ).toEqual(samples.map(({ key, ...rest }) => ({ ...rest, key })));
  });

  it("keeps labels of every kind, numbers that a double cannot hold, and metadata named as captions or labels are", async () => {
    const rows = [
      ...[2.5, 7, -3, 1e21, "7", "true"].map((label) => ({ key: "", texts: ["x"], label })),
      { key: "", texts: ["x"], meta: { id: "12345678901234567890", key: "own" } },
      { key: "", texts: ["a", "b"], label: 1, meta: { title: "t", caption: "c", class: "cat", on: true } },
    ].map((sample, i): Sample => ({ ...sample, key: `k${i}` }));
    const out = `${root}/exact`;
    await buildShards([listSource("a", rows)], out);
    const back = (await collect(await openSource(out))).map(({ sample }) => sample);
    expect(back.map(({ texts, label, meta }) => ({ texts, label, meta }))).toEqual(
      rows.map(({ texts, label, meta = {}, key }) => ({ texts, label, meta: { key, ...meta } })),
    );
  });

  it("writes samples whole from an archive in any order, and tells of what it passes over", async () => {
    const members = [0, 1, 2].map((i) => samples[i]!);
    await writeFiles(root, {
      "mixed.tar": rawTar([
        ...members.map(({ image }, i) => ({ name: `${i}.png`, body: image! })),
        { name: "._0.png", body: "apple" },
        ...members.map(({ texts }, i) => ({ name: `${i}.txt`, body: texts![0]! })),
      ]),
    });
    const manifest = await buildShards([await openSource(`${root}/mixed.tar`)], `${root}/whole`);
    expect(manifest).toMatchObject({ samples: 3, bad: 0, notes: 1 });
    const back = await collect(await openSource(`${root}/whole`));
    expect(back.map(({ sample: { image, texts } }) => [image, texts![0]])).toEqual(
      members.map(({ image, texts }) => [image, texts![0]]),
    );
  });

  it("says in the manifest what lies on disk", async () => {
    const out = `${root}/hashed`;
    const manifest = await buildShards([listSource("a", samples)], out);
    expect(JSON.parse(await readFile(`${out}/manifest.json`, "utf8"))).toEqual(manifest);
    for (const { file, bytes, sha256 } of manifest.shards) {
      const content = await readFile(`${out}/${file}`);
      expect(content.length).toBe(bytes);
      expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
    }
  });

  it("gives the same bytes for the same samples", async () => {
    const hashes = async (out: string): Promise<string[]> =>
      (await buildShards([listSource("a", samples)], out, { samplesPerShard: 7 })).shards.map((shard) => shard.sha256);
    expect(await hashes(`${root}/one`)).toEqual(await hashes(`${root}/two`));
  });

  it("lists what it leaves out, and stops at the limit", async () => {
    const broken = { key: "x", image: new Uint8Array([1, 2, 3]), texts: ["what"] };
    const manifest = await buildShards([listSource("a", [broken, ...samples])], `${root}/bad`, { limit: 4 });
    expect([manifest.samples, manifest.bad]).toEqual([4, 1]);
    expect(JSON.parse(await readFile(`${root}/bad/bad.jsonl`, "utf8"))).toEqual({
      source: "a",
      key: "x",
      reason: expect.stringMatching(/^expected JPEG.*got 3 bytes of an unknown kind/),
    });
  });

  it("leaves nothing behind when a source fails", async () => {
    const failing: Source = {
      name: "failing",
      async *samples() {
        yield { sample: samples[0]!, cursor: 0 };
        throw new DataError("failing: cut off");
      },
    };
    await expect(buildShards([failing], `${root}/failed`)).rejects.toThrow("failing: cut off");
    await expect(buildShards([listSource("none", [])], `${root}/failed`)).rejects.toThrow(/expected samples, got none/);
    expect((await readdir(root)).filter((name) => name.startsWith("failed"))).toEqual([]);
  });

  it("writes into no folder that holds something", async () => {
    await writeFiles(root, { "full/thing.txt": "x" });
    await expect(buildShards([listSource("a", samples)], `${root}/full`)).rejects.toThrow(/got one with thing.txt/);
    expect(await readdir(`${root}/full`)).toEqual(["thing.txt"]);
  });
});
