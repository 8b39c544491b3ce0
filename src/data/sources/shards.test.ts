import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, listSource, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { DataError } from "../../errors.ts";
import { openSource } from "./open.ts";
import { buildShards } from "./shards.ts";
import type { Sample, Source } from "./source.ts";

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
    const back = (await collect(await openSource(out))).map(({ sample }) => sample);
    expect(
      back.map(({ key, meta, ...rest }) => ({
        ...rest,
        key: meta!.key,
        meta: { source: meta!.source, part: meta!.part },
      })),
    ).toEqual(samples.map(({ key, ...rest }) => ({ ...rest, key })));
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
      reason: "the image has no format that is known",
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
