import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, keysOf, listSource, temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { inspectSource } from "../inspect/index.ts";
import { decodableSource } from "./decodable.ts";
import { openSource } from "./open.ts";
import { buildShards } from "./shards.ts";
import type { BadSample, Sample } from "./source.ts";

/** Of every four samples the third is cut off, and one has no picture. */
let samples: Sample[];
beforeAll(async () => {
  const noise = Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * i * 7) % 251);
  const whole = new Uint8Array(
    await sharp(noise, { raw: { width: 24, height: 16, channels: 3 } })
      .jpeg()
      .toBuffer(),
  );
  const image = (i: number): Uint8Array => (i % 4 === 2 ? whole.slice(0, whole.length - 200) : whole);
  samples = Array.from({ length: 20 }, (_, i) => ({
    key: `${i}`,
    texts: ["a"],
    ...(i % 4 !== 3 && { image: image(i) }),
  }));
});

const good = (): string[] => samples.map(({ key }) => key).filter((key) => Number(key) % 4 !== 2);
const reason = expect.stringMatching(/^expected a whole jpeg image, got damaged or cut-off bytes/);

describe("damaged pictures", () => {
  it("are left out in their place, and told; the rest keeps its order and cursors", async () => {
    const bad: BadSample[] = [];
    const placed = await collect(decodableSource(listSource("s", samples)), { onBad: (b) => bad.push(b) });
    expect(keysOf(placed)).toEqual(good());
    expect(bad).toEqual([2, 6, 10, 14, 18].map((i) => ({ source: "s", key: `${i}`, reason })));
    const { cursor } = placed[6]!;
    expect(keysOf(await collect(decodableSource(listSource("s", samples)), { cursor }))).toEqual(good().slice(7));
  });

  it("are counted as bad by data inspect, and left out by data build, unless nothing is decoded", async () => {
    const folder = await temporaryFolder();
    const badFile = `${folder}/bad.jsonl`;
    const { inspection } = await inspectSource(listSource("s", samples), { examples: 0, badFile });
    expect(inspection).toMatchObject({ samples: 15, bad: { count: 5 } });
    expect(
      (await readFile(badFile, "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).key),
    ).toEqual([...["2", "6", "10", "14", "18"]]);
    const headers = await inspectSource(listSource("s", samples), { examples: 0, decode: false });
    expect(headers.inspection).toMatchObject({ samples: 20, bad: { count: 0 } });
    expect(await buildShards([listSource("s", samples)], `${folder}/a`)).toMatchObject({ samples: 15, bad: 5 });
    expect(await collect(await openSource(`${folder}/a`))).toHaveLength(15);
    const asTheyAre = await buildShards([listSource("s", samples)], `${folder}/b`, { decode: false });
    expect(asTheyAre).toMatchObject({ samples: 20, bad: 0 });
  });

  it("stop nothing but themselves: an abort does", async () => {
    const stop = new AbortController();
    const reading = decodableSource(listSource("s", samples)).samples({ signal: stop.signal });
    await expect(
      (async () => {
        for await (const _ of reading) stop.abort(new Error("enough"));
      })(),
    ).rejects.toThrow("enough");
  });
});
