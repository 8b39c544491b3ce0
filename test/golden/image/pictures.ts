/** Made-up pictures for golden tests, and what Pillow makes of them. */
import { readFileSync } from "node:fs";
import type { Filter, Pixels } from "../../../src/image/index.ts";
import { fnv1a } from "../../../src/tensor/index.ts";

/** The top bytes of the golden vectors' number stream. */
export function noiseBytes(name: string, count: number): Uint8Array {
  let x = fnv1a(name);
  return Uint8Array.from({ length: count }, () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return x >>> 24;
  });
}

export const noisePixels = (name: string, width: number, height: number): Pixels => ({
  width,
  height,
  data: noiseBytes(name, width * height * 3),
});

export interface ResizeGolden {
  readonly filter: Filter;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly box: readonly [number, number, number, number] | null;
  readonly hash: number;
}

export interface PillowGoldens {
  readonly pillow: string;
  readonly resize: readonly ResizeGolden[];
  readonly effects: readonly { readonly effect: string; readonly value: number; readonly hash: number }[];
  readonly formats: readonly {
    readonly name: string;
    readonly mode: string;
    readonly size: readonly [number, number];
    readonly rgb: number;
    readonly upright: number;
    readonly base64: string;
  }[];
}

/** See README.md beside. */
export const pillowGoldens = (): PillowGoldens =>
  JSON.parse(readFileSync(new URL("pillow.json", import.meta.url), "utf8")) as PillowGoldens;

/** Resizes of pictures from the stream "passes", most of them taller than wide, by version of Pillow. */
export const pillowPasses = (): Readonly<Record<"12.3.0" | "13.0.0", readonly ResizeGolden[]>> =>
  JSON.parse(readFileSync(new URL("pillow-passes.json", import.meta.url), "utf8"));
