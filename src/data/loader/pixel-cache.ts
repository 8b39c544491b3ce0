/** Decoded pictures of small data sets, kept as bytes up to a limit, so that each is decoded once. */
import type { Pixels } from "../../image/index.ts";
import { fnv1a } from "../../tensor/index.ts";
import type { Source } from "../sources/index.ts";

/** Pictures by source, sample key and encoded bytes. Loaders that read the same sources (stages of one run) can share one. */
export interface PixelCache {
  /** The decoded picture; undefined where none was kept, or where the one that was kept came from other bytes. */
  get(source: Source, key: string, image: Uint8Array): Pixels | undefined;
  put(source: Source, key: string, image: Uint8Array, pixels: Pixels): void;
  readonly isFull: boolean;
}

/** Keeps the first pictures that fit into `maxBytes`; the others are decoded every time. */
export function pixelCache(maxBytes: number): PixelCache {
  const sources = new WeakMap<Source, Map<string, Pixels>>();
  let bytes = 0;
  let full = false;
  return {
    get: (source, key, image) => sources.get(source)?.get(identity(key, image)),
    put: (source, key, image, pixels) => {
      const kept = sources.get(source) ?? new Map<string, Pixels>();
      const id = identity(key, image);
      if (full || kept.has(id)) return;
      if (bytes + pixels.data.length > maxBytes) {
        full = true;
        return;
      }
      // A view into a larger buffer would keep all of it.
      const isView = pixels.data.byteLength < pixels.data.buffer.byteLength;
      kept.set(id, isView ? { ...pixels, data: pixels.data.slice() } : pixels);
      sources.set(source, kept);
      bytes += pixels.data.length;
    },
    get isFull() {
      return full;
    },
  };
}

const TAIL_BYTES = 256;

/** Two files of one name are distinguished by their length and their end, where PNG and JPEG differ most. */
const identity = (key: string, image: Uint8Array): string =>
  `${image.length} ${fnv1a(image.subarray(-TAIL_BYTES))} ${key}`;
