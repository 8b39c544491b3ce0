/** Decoded pictures of small data sets, kept as bytes up to a limit, so that each is decoded once. */
import type { Pixels } from "../../image/index.ts";
import type { Source } from "../sources/index.ts";

/** Pictures by source and sample key. Loaders that read the same sources (stages of one run) can share one. */
export interface PixelCache {
  get(source: Source, key: string): Pixels | undefined;
  put(source: Source, key: string, pixels: Pixels): void;
  readonly isFull: boolean;
}

/** Keeps the first pictures that fit into `maxBytes`; the others are decoded every time. */
export function pixelCache(maxBytes: number): PixelCache {
  const sources = new WeakMap<Source, Map<string, Pixels>>();
  let bytes = 0;
  let full = false;
  return {
    get: (source, key) => sources.get(source)?.get(key),
    put: (source, key, pixels) => {
      const kept = sources.get(source) ?? new Map<string, Pixels>();
      if (full || kept.has(key)) return;
      if (bytes + pixels.data.length > maxBytes) {
        full = true;
        return;
      }
      // A view into a larger buffer would keep all of it.
      const isView = pixels.data.byteLength < pixels.data.buffer.byteLength;
      kept.set(key, isView ? { ...pixels, data: pixels.data.slice() } : pixels);
      sources.set(source, kept);
      bytes += pixels.data.length;
    },
    get isFull() {
      return full;
    },
  };
}
