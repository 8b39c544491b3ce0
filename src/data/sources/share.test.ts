import { expect, it } from "vitest";
import { openSource } from "./open.ts";
import { sharedSource } from "./share.ts";
import type { Source } from "./source.ts";

async function keys(source: Source, options: Parameters<Source["samples"]>[0] = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { sample } of source.samples(options)) found.push(sample.key);
  return found;
}

it("a share is about so much, a part of every larger one, and the same in every order and on all workers", async () => {
  const whole = await openSource("synthetic:400");
  const [few, more] = [sharedSource(whole, 0.1), sharedSource(whole, 0.5)];
  const [a, b] = [await keys(few), await keys(more)];
  expect(a.length).toBeGreaterThan(20);
  expect(a.length).toBeLessThan(60);
  expect(b).toEqual(expect.arrayContaining(a));
  expect(await keys(sharedSource(whole, 1))).toEqual(await keys(whole));
  const parts = [
    await keys(few, { shard: { index: 0, count: 2 } }),
    await keys(few, { shard: { index: 1, count: 2 } }),
  ];
  expect(parts.flat().sort()).toEqual([...a].sort());
  expect(few.name).toBe("10 % of synthetic:400");
});
