/** Decoded pictures of small data sets, kept as bytes up to a limit, so that each is decoded once. */
import type { Pixels } from "../image/index.ts";
import type { PipelineItem, PixelCache } from "./pipeline.ts";

/** Keeps the first pictures that fit into `maxBytes`; the others are decoded every time. */
export function pixelCache(maxBytes: number): PixelCache {
  const kept = new Map<string, Pixels>();
  const keyOf = ({ source, item }: PipelineItem): string => `${source}\n${item.key}`;
  let bytes = 0;
  let full = false;
  return {
    get: (item) => kept.get(keyOf(item)),
    put: (item, pixels) => {
      const key = keyOf(item);
      if (full || kept.has(key)) return;
      if (bytes + pixels.data.length > maxBytes) {
        full = true;
        return;
      }
      // A view into a larger buffer would keep all of it.
      const own =
        pixels.data.byteLength < pixels.data.buffer.byteLength ? { ...pixels, data: pixels.data.slice() } : pixels;
      kept.set(key, own);
      bytes += pixels.data.length;
    },
    get isFull() {
      return full;
    },
  };
}
