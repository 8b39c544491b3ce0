import { describe, expect, it } from "vitest";
import { listSource } from "../../../test/support/data-fixtures.ts";
import type { Pixels } from "../../image/index.ts";
import { pixelCache } from "./pixel-cache.ts";

const picture = (value: number, length = 12): Pixels => ({
  width: 2,
  height: 2,
  data: new Uint8Array(length).fill(value),
});
const encoded = (...end: number[]): Uint8Array => new Uint8Array([137, 80, 78, 71, ...end]);

describe("pixelCache", () => {
  it("gives no picture for another, whatever the names: other source, other key, other bytes", () => {
    const cache = pixelCache(1e6);
    const [a, b] = [listSource("same", []), listSource("same", [])];
    cache.put(a, "0.png", encoded(1), picture(1));
    expect(cache.get(a, "0.png", encoded(1))).toEqual(picture(1));
    for (const found of [
      cache.get(b, "0.png", encoded(1)),
      cache.get(a, "1.png", encoded(1)),
      cache.get(a, "0.png", encoded(2)),
      cache.get(a, "0.png", encoded(1, 1)),
    ])
      expect(found).toBeUndefined();
    cache.put(a, "0.png", encoded(2), picture(2));
    expect(cache.get(a, "0.png", encoded(1))).toEqual(picture(1));
    expect(cache.get(a, "0.png", encoded(2))).toEqual(picture(2));
  });

  it("keeps the first pictures that fit", () => {
    const cache = pixelCache(20);
    const source = listSource("s", []);
    cache.put(source, "0", encoded(0), picture(0));
    expect(cache.isFull).toBe(false);
    cache.put(source, "1", encoded(1), picture(1));
    expect(cache.isFull).toBe(true);
    expect(cache.get(source, "0", encoded(0))).toEqual(picture(0));
    expect(cache.get(source, "1", encoded(1))).toBeUndefined();
  });
});
