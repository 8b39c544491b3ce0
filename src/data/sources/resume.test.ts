import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
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
import type { Json } from "../../io/index.ts";
import { createStream, type Drawn, type Stream } from "../loader/stream.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import type { Sample, SampleOptions, Shard, Source } from "./source.ts";

const COUNT = 23;
const numbers = Array.from({ length: COUNT }, (_, i) => i);
let root: string;

beforeAll(async () => {
  root = await temporaryFolder();
  const parquet = (from: number, to: number): Uint8Array => {
    const data = numbers.slice(from, to).map((i) => `caption ${i}`);
    return new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data }], rowGroupSize: 4 }));
  };
  const csvLine = (i: number): string => `img/${i}.jpg,"caption ${i},\nof two lines é"`;
  await writeFiles(root, {
    ...Object.fromEntries(numbers.map((i) => [`img/${i % 3}/${i}.jpg`, fakeImage(i)])),
    ...Object.fromEntries(numbers.map((i) => [`csv/img/${i}.jpg`, fakeImage(i)])),
    "one.tar": await tarOf(shardFiles(0, COUNT)),
    "t0.tar": await tarOf(shardFiles(0, 7)),
    "t1.tar": await tarOf({ ...shardFiles(7, 8), [`${"deep/".repeat(40)}9.txt`]: "deep", ...shardFiles(9, 20) }),
    "t2.tar": await tarOf(shardFiles(20, COUNT)),
    "p0.parquet": parquet(0, 10),
    "p1.parquet": parquet(10, COUNT),
    "csv/a.csv": `filepath,title\n${numbers.map(csvLine).join("\n")}`,
    "b.jsonl": numbers.map((i) => JSON.stringify({ text: `caption ${i} é` })).join("\r\n"),
    "c.txt": numbers.map((i) => `line ${i} ü${i % 5 === 0 ? "\n" : ""}`).join("\n"),
    "coco.json": JSON.stringify({
      images: numbers.map((id) => ({ id, file_name: `img/${id % 3}/${id}.jpg` })),
      annotations: numbers.map((id) => ({ image_id: id, caption: `caption ${id}` })),
    }),
  });
});

const SPECS: readonly (readonly [string, (root: string) => string | SourceSpec])[] = [
  ["one tar", (r) => `${r}/one.tar`],
  ["three tars", (r) => `${r}/t{0..2}.tar`],
  ["parquet", (r) => `${r}/p{0..1}.parquet`],
  ["CSV", (r) => `${r}/csv/a.csv`],
  ["JSON Lines", (r) => `${r}/b.jsonl`],
  ["text", (r) => `${r}/c.txt`],
  ["a folder", (r) => `${r}/img`],
  ["COCO", (r) => `${r}/coco.json`],
  ["synthetic", () => ({ type: "synthetic", count: COUNT, size: 8 })],
];
const OPTIONS: readonly SampleOptions[] = [
  {},
  { order: { seed: 3, epoch: 1 } },
  { shard: { index: 0, count: 3 } },
  { shard: { index: 2, count: 3 }, order: { seed: 3, epoch: 2 } },
];

/** One worker's part of a source, shuffled in blocks of five. */
function shuffled(source: Source, shard: Shard, state?: Json): Stream<Sample> {
  return createStream({
    name: "test",
    seed: 5,
    block: 5,
    blockBytes: 1e9,
    shuffle: true,
    state,
    async *open(order, cursor) {
      for await (const placed of source.samples({ order, cursor, shard }))
        yield { value: placed.sample, cursor: placed.cursor, bytes: 1 };
    },
  });
}

/** The next items; the stream is closed behind them. */
async function take(stream: Stream<Sample>, count: number): Promise<Drawn<Sample>[]> {
  const all: Drawn<Sample>[] = [];
  for (let i = 0; i < count; i++) all.push((await stream.next())!);
  await stream.close();
  return all;
}

describe.each(SPECS)("a source of %s", (_name, spec) => {
  let source: Source;
  beforeAll(async () => {
    source = await openSource(spec(root));
  });

  it("gives the same remaining samples from the cursor of any sample", async () => {
    for (const options of OPTIONS) {
      const all = await collect(source, options);
      expect(all.length).toBeGreaterThan(0);
      await fc.assert(
        fc.asyncProperty(fc.nat(all.length - 1), async (at) => {
          const cursor = JSON.parse(JSON.stringify(all[at]!.cursor));
          expect(await collect(source, { ...options, cursor })).toEqual(all.slice(at + 1));
        }),
        { numRuns: 6, examples: [[0], [all.length - 1]] },
      );
    }
  });

  it("goes on from any place behind a shuffle buffer, over epochs, for 2 of 3 workers' shards", async () => {
    for (const index of [0, 2]) {
      const whole = await take(shuffled(source, { index, count: 3 }), 20);
      for (const at of [0, 4, 7, 12]) {
        const state = JSON.parse(JSON.stringify(whole[at]!.state));
        const rest = await take(shuffled(source, { index, count: 3 }, state), 19 - at);
        expect(rest.map(({ value }) => value)).toEqual(whole.slice(at + 1).map(({ value }) => value));
      }
    }
  });

  it("is cut into disjoint shards that make the whole", async () => {
    const whole = keysOf(await collect(source)).sort();
    expect(new Set(whole).size).toBe(COUNT);
    for (const count of [2, 3, 5]) {
      const shards = await Promise.all(
        numbers.slice(0, count).map((index) => collect(source, { shard: { index, count } })),
      );
      expect(shards.flatMap(keysOf).sort()).toEqual(whole);
      expect(shards.every((shard) => shard.length > 0)).toBe(true);
    }
  });

  it("holds the same samples in every order", async () => {
    const whole = keysOf(await collect(source)).sort();
    expect(keysOf(await collect(source, { order: { seed: 1, epoch: 5 } })).sort()).toEqual(whole);
  });

  it("refuses a cursor of something else", async () => {
    await expect(collect(source, { cursor: { other: 1 } })).rejects.toThrow(DataError);
  });

  it("stops at an abort", async () => {
    const abort = new AbortController();
    const iterator = source.samples({ signal: abort.signal })[Symbol.asyncIterator]();
    await iterator.next();
    abort.abort(new Error("enough"));
    await expect(iterator.next()).rejects.toThrow("enough");
  });
});

describe("an order", () => {
  it("differs from epoch to epoch where the source has an index or many files", async () => {
    for (const spec of [`${root}/img`, `${root}/t{0..2}.tar`]) {
      const source = await openSource(spec);
      const orders = await Promise.all(
        [0, 1, 2, 3].map(async (epoch) => keysOf(await collect(source, { order: { seed: 1, epoch } })).join()),
      );
      expect(new Set(orders).size).toBeGreaterThan(1);
    }
  });
});

describe("textSource", () => {
  it("keeps counting documents after a resume", async () => {
    const source = await openSource(`${root}/c.txt`);
    const all = await collect(source);
    expect(all.at(-1)!.sample.meta).toEqual({ document: "c.txt#5" });
    expect(utf8("ü")).toHaveLength(2);
  });
});
