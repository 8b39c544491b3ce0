import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { listSource, shardFiles, tarOf, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { ConfigError, DataError } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import { openSource, type Sample, type Shard, type Source } from "../sources/index.ts";
import { mixStreams } from "./mix.ts";
import { createStream, type Drawn, type Stream } from "./stream.ts";

const COUNT = 23;
const SAMPLES: Sample[] = Array.from({ length: COUNT }, (_, i) => ({ key: `${i}`, texts: [`text ${i}`] }));
let tar: Source;
let shards: Source;

beforeAll(async () => {
  const root = await temporaryFolder();
  const [a, b, c] = await Promise.all([shardFiles(0, 9), shardFiles(9, 12), shardFiles(12, COUNT)].map(tarOf));
  await writeFiles(root, { "one.tar": await tarOf(shardFiles(0, COUNT)), "s0.tar": a!, "s1.tar": b!, "s2.tar": c! });
  tar = await openSource(`${root}/one.tar`);
  shards = await openSource(`${root}/s{0..2}.tar`);
});

interface Choice {
  readonly block: number;
  readonly shuffle: boolean;
  readonly blockBytes: number;
  readonly shard?: Shard;
}

function streamOf(source: Source, choice: Choice, state?: Json): Stream<Sample> {
  const { shard, ...rest } = choice;
  return createStream({
    name: "test",
    seed: 5,
    ...rest,
    state,
    async *open(order, cursor) {
      for await (const placed of source.samples({ order, cursor, shard }))
        yield { value: placed.sample, cursor: placed.cursor, bytes: placed.sample.image?.length ?? 1 };
    },
  });
}

/** The next items; the stream is closed behind them. */
async function draw(
  stream: { next(): Promise<Drawn<Sample> | undefined>; close(): Promise<void> },
  count: number,
): Promise<Drawn<Sample>[]> {
  const all: Drawn<Sample>[] = [];
  for (let i = 0; i < count; i++) all.push((await stream.next())!);
  await stream.close();
  return all;
}

const keys = (drawn: readonly Drawn<Sample>[]): string[] => drawn.map(({ value }) => value.key);

describe("createStream", () => {
  it("gives every sample once an epoch, in another order each epoch", async () => {
    const stream = streamOf(listSource("list", SAMPLES), { block: 8, shuffle: true, blockBytes: 1e9 });
    const drawn = await draw(stream, 3 * COUNT);
    const epochs = [0, 1, 2].map((epoch) => drawn.filter((d) => d.epoch === epoch));
    for (const epoch of epochs) {
      expect(new Set(keys(epoch)).size).toBe(COUNT);
      expect(epoch.map((d) => d.ordinal)).toEqual(SAMPLES.map((_, i) => i));
    }
    expect(new Set(epochs.map((epoch) => keys(epoch).join())).size).toBe(3);
  });

  it("keeps the order of the source where it does not shuffle", async () => {
    const stream = streamOf(listSource("list", SAMPLES), { block: 4, shuffle: false, blockBytes: 1e9 });
    expect(keys(await draw(stream, COUNT))).toEqual(SAMPLES.map(({ key }) => key));
  });

  it("gives the same remaining samples from any state, over epochs, block sizes and 2 of 3 shards", async () => {
    const choice = fc.record({
      source: fc.constantFrom("tar", "shards"),
      block: fc.integer({ min: 1, max: 12 }),
      shuffle: fc.boolean(),
      blockBytes: fc.constantFrom(1e9, 2000),
      shard: fc.constantFrom({ index: 0, count: 3 }, { index: 2, count: 3 }, { index: 0, count: 1 }),
    });
    await fc.assert(
      fc.asyncProperty(choice, fc.nat(2 * COUNT), async ({ source, ...options }, at) => {
        const from = source === "tar" ? tar : shards;
        const whole = await draw(streamOf(from, options), at + 1 + COUNT);
        const state = JSON.parse(JSON.stringify(whole[at]!.state));
        const rest = await draw(streamOf(from, options, state), COUNT);
        expect(rest.map(({ value, epoch, ordinal }) => [value, epoch, ordinal])).toEqual(
          whole.slice(at + 1).map(({ value, epoch, ordinal }) => [value, epoch, ordinal]),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("refuses a state of another block size, and one of something else", () => {
    const state = { epoch: 0, block: 0, before: 0, done: 1, cursor: null, size: 8 };
    const open = (saved: Json): Stream<Sample> =>
      streamOf(listSource("list", SAMPLES), { block: 4, shuffle: true, blockBytes: 1e9 }, saved);
    expect(() => open(state)).toThrow(ConfigError);
    expect(() => open({ x: 1 })).toThrow(DataError);
  });

  it("stops at a source without samples instead of turning for ever", async () => {
    const stream = streamOf(listSource("empty", []), { block: 4, shuffle: true, blockBytes: 1e9 });
    await expect(stream.next()).rejects.toThrow(/expected samples, got none in a whole pass/);
  });

  it("lets anybody look at the blocks that follow, and reads each once", async () => {
    const options = { block: 8, shuffle: true, blockBytes: 1e9 };
    const stream = streamOf(listSource("list", SAMPLES), options);
    const { block } = (await stream.next())!;
    const following = [await block.next(), await (await block.next())!.next()];
    expect(following.map((next) => next?.items.map(({ key }) => Number(key)))).toEqual([
      [8, 9, 10, 11, 12, 13, 14, 15],
      [16, 17, 18, 19, 20, 21, 22],
    ]);
    const rest = await draw(stream, 2 * COUNT);
    expect(keys(rest)).toEqual(
      keys(await draw(streamOf(listSource("list", SAMPLES), options), 2 * COUNT + 1)).slice(1),
    );
  });

  it("holds no more than two blocks", async () => {
    let read = 0;
    const stream = createStream<number>({
      name: "count",
      seed: 0,
      block: 10,
      blockBytes: 1e9,
      shuffle: true,
      async *open() {
        for (;;) yield { value: read++, cursor: read, bytes: 1 };
      },
    });
    for (let i = 0; i < 25; i++) await stream.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(read).toBe(40);
  });
});

describe("mixStreams", () => {
  const other = SAMPLES.map((sample) => ({ ...sample, key: `b${sample.key}` }));
  const open = (state?: Json): ReturnType<typeof mixStreams<Sample>> =>
    mixStreams(
      "mix",
      3,
      [SAMPLES, other].map((samples, i) => ({
        weight: [3, 1][i]!,
        open: (saved) => streamOf(listSource("list", samples), { block: 5, shuffle: true, blockBytes: 1e9 }, saved),
      })),
      state,
    );

  it("draws from its parts by weight", async () => {
    const drawn = await draw(open(), 2000);
    const share = drawn.filter(({ value }) => !value.key.startsWith("b")).length / 2000;
    expect(Math.abs(share - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / 2000));
  });

  it("goes on exactly from any state", async () => {
    const whole = await draw(open(), 80);
    for (const at of [0, 1, 13, 40]) {
      const state = JSON.parse(JSON.stringify(whole[at]!.state));
      expect(keys(await draw(open(state), 80 - at - 1))).toEqual(keys(whole.slice(at + 1)));
    }
  });
});
