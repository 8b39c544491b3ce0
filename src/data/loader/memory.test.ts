import { describe, expect, it } from "vitest";
import type { Placed, Sample, SampleOptions, Source } from "../sources/source.ts";
import { memorySource, sourceOf } from "./memory.ts";

const sizes = [3, 1, 4, 2, 1, 1, 1];
const named = (document: number): boolean => document % 3 !== 1; // the others are documents without a name
const samples: Sample[] = sizes.flatMap((size, document) =>
  Array.from({ length: size }, (_, i) => ({
    key: `${document}.${i}`,
    texts: ["a"],
    ...(named(document) && { meta: { document: `d${document}` } }),
  })),
);

async function placedOf(source: Source, options: SampleOptions = {}): Promise<Placed[]> {
  const placed: Placed[] = [];
  for await (const one of source.samples(options)) placed.push(one);
  return placed;
}

async function keysOf(source: Source, options?: SampleOptions): Promise<string[]> {
  return (await placedOf(source, options)).map(({ sample }) => sample.key);
}

describe("byDocument", () => {
  const source = sourceOf("held", samples).byDocument("document");
  const order = { seed: 5, epoch: 0 };

  it("moves whole documents, another way every epoch, and gives every sample once", async () => {
    const orders: string[] = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      const keys = await keysOf(source, { order: { seed: 5, epoch } });
      expect([...keys].sort()).toEqual(samples.map(({ key }) => key).sort());
      const documents = keys.map((key) => key.split(".")[0]!);
      expect(documents.filter((d, i) => d !== documents[i - 1])).toHaveLength(sizes.length);
      for (const d of new Set(documents)) {
        const own = keys.filter((key) => key.startsWith(`${d}.`));
        expect(own).toEqual(own.map((_, i) => `${d}.${i}`));
      }
      orders.push(documents.join());
    }
    expect(new Set(orders).size).toBeGreaterThan(1);
    expect(await keysOf(source, { order })).toEqual(await keysOf(source, { order }));
    expect(await keysOf(source)).toEqual(samples.map(({ key }) => key));
  });

  it("goes on after any sample", async () => {
    const placed = await placedOf(source, { order });
    for (const [i, { cursor }] of placed.entries())
      expect(await keysOf(source, { order, cursor })).toEqual(placed.slice(i + 1).map(({ sample }) => sample.key));
  });

  it("is there for what was read into memory, and not for what does not fit", async () => {
    const held = await memorySource(sourceOf("read", samples), { maxBytes: 1e6 });
    expect(await keysOf(held!.byDocument("document"), { order })).toEqual(await keysOf(source, { order }));
    expect(await memorySource(sourceOf("large", samples), { maxBytes: 300 })).toBeUndefined();
  });
});
