import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../errors.ts";
import { type Random, random } from "../tensor/index.ts";
import { blockMask, FLAVA_BLOCK_MASK, maskPositions, scaledBlockMask } from "./index.ts";

const count = (mask: Uint8Array): number => mask.reduce((a, b) => a + b, 0);

/** Plays uniform and integer draws from a list and notes what was asked. */
function scripted(draws: readonly number[]): { rng: Random; asked: string[] } {
  const asked: string[] = [];
  const next = (what: string): number => {
    if (asked.length >= draws.length) throw new Error(`draw ${asked.length} (${what}) is not in the script`);
    asked.push(what);
    return draws[asked.length - 1]!;
  };
  const never = (): never => {
    throw new Error("unexpected draw");
  };
  return {
    asked,
    rng: { uniform: () => next("uniform"), integer: (n) => next(`integer ${n}`), bits: never, normal: never },
  };
}

const draw = (mask: Uint8Array, columns: number): string[] =>
  Array.from({ length: mask.length / columns }, (_, y) =>
    [...mask.slice(y * columns, (y + 1) * columns)].map((v) => ".#"[v]).join(""),
  );

describe("blockMask", () => {
  it("has the distribution of BEiT's generator: never above 75, mean 74.47, 75 in two thirds", () => {
    const counts = Array.from({ length: 20_000 }, (_, i) =>
      count(blockMask(FLAVA_BLOCK_MASK, random(7, "block-mask", 0, i))),
    );
    const share = (n: number): number => counts.filter((c) => c === n).length / counts.length;
    expect(Math.max(...counts)).toBe(75);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(60);
    expect(Math.min(...counts)).toBeLessThanOrEqual(68);
    expect(Math.abs(counts.reduce((a, b) => a + b, 0) / counts.length - 74.47)).toBeLessThan(0.05);
    // Four standard errors of a share in 20,000.
    expect(Math.abs(share(75) - 0.666)).toBeLessThan(0.0134);
    expect(Math.abs(share(74) - 0.233)).toBeLessThan(0.012);
  });

  it("masks the middle more often than the corners, and left as often as right", () => {
    const sums = new Float64Array(196);
    for (let i = 0; i < 4000; i++)
      for (const [p, v] of blockMask(FLAVA_BLOCK_MASK, random(8, "block-mask", 0, i)).entries()) sums[p]! += v;
    const [centre, corner] = [sums[7 * 14 + 7]!, sums[0]!];
    expect(centre).toBeGreaterThan(corner * 2);
    const half = (left: boolean): number => sums.reduce((a, v, p) => a + (p % 14 < 7 === left ? v : 0), 0);
    expect(half(true) / half(false)).toBeGreaterThan(0.97);
    expect(half(true) / half(false)).toBeLessThan(1.03);
  });

  it("draws area, ratio, top and left, in this order", () => {
    // area = 16 + 8·0, ratio = exp(ln 0.3 + …·½) = 1: a 4×4 block. Then 8 are left: area = 16 − 8·⅞ = 9, a 3×3 block, one cell of it old.
    const { rng, asked } = scripted([0, 0.5, 1, 2, 0.875, 0.5, 4, 0]);
    const mask = blockMask({ rows: 7, columns: 8, total: 24, minBlock: 16 }, rng);
    const attempt = (down: number, across: number): string[] => [
      "uniform",
      "uniform",
      `integer ${down}`,
      `integer ${across}`,
    ];
    expect(asked).toEqual([...attempt(4, 5), ...attempt(5, 6)]);
    const rows = ["........", "..####..", "..####..", "..####..", "######..", "###.....", "###....."];
    expect(draw(mask, 8)).toEqual(rows);
  });

  it("skips top and left when the size does not fit, and gives up after ten attempts", () => {
    // The lowest ratio, 0.3, makes 64 cells 4 high and 15 wide: too wide for 14 columns.
    const { rng, asked } = scripted(new Array(20).fill(0).map((_, i) => (i % 2 ? 0 : 64 / 75)));
    const mask = blockMask({ rows: 14, columns: 14, total: 75, minBlock: 1e-9 }, rng);
    expect(asked).toEqual(new Array(20).fill("uniform"));
    expect(count(mask)).toBe(0);
  });

  it("asks for blocks strictly smaller than the grid", () => {
    // 4×4 on a grid of four columns fits exactly and is refused; ten such attempts end the mask.
    const { rng, asked } = scripted(new Array(20).fill(0).map((_, i) => (i % 2 ? 0.5 : 0)));
    expect(count(blockMask({ rows: 9, columns: 4, total: 16, minBlock: 16 }, rng))).toBe(0);
    expect(asked.length).toBe(20);
  });

  it("refuses a block that adds nothing or too much, and tries again", () => {
    const block = (top: number, left: number): number[] => [0, 0.5, top, left];
    // The second block repeats the first (nothing new); the third lies apart (16 new, 4 allowed); the fourth adds one column.
    const { rng, asked } = scripted([...block(0, 0), ...block(0, 0), ...block(0, 6), ...block(0, 1)]);
    const mask = blockMask({ rows: 12, columns: 12, total: 20, minBlock: 16 }, rng);
    expect(asked.length).toBe(16);
    expect(draw(mask, 12).slice(0, 5)).toEqual([...new Array(4).fill("#####......."), "............"]);
  });

  it("is a function of the seed", () => {
    const mask = (seed: number): string => blockMask(FLAVA_BLOCK_MASK, random(seed, "block-mask", 3, 5)).join("");
    expect(mask(1)).toBe(mask(1));
    expect(mask(1)).not.toBe(mask(2));
  });

  it("respects maxBlock", () => {
    const options = { rows: 14, columns: 14, total: 60, minBlock: 4, maxBlock: 6 };
    for (let i = 0; i < 50; i++) expect(count(blockMask(options, random(1, "small", 0, i)))).toBeLessThanOrEqual(60);
  });

  it("refuses options that make no sense", () => {
    const good = FLAVA_BLOCK_MASK;
    for (const bad of [
      { rows: 0 },
      { columns: 1.5 },
      { total: 197 },
      { total: -1 },
      { minBlock: 0 },
      { maxBlock: 0 },
      { minAspect: 0 },
      { maxAspect: 0.1 },
    ])
      expect(() => blockMask({ ...good, ...bad }, random(0, "x")), JSON.stringify(bad)).toThrow(ConfigError);
  });
});

describe("scaledBlockMask", () => {
  it("keeps FLAVA's shares", () => {
    expect(scaledBlockMask(14, 14)).toEqual(FLAVA_BLOCK_MASK);
    expect(scaledBlockMask(8, 8)).toEqual({ rows: 8, columns: 8, total: 24, minBlock: 5 });
    expect(scaledBlockMask(6, 6)).toEqual({ rows: 6, columns: 6, total: 14, minBlock: 3 });
  });
});

describe("maskPositions", () => {
  it("lists the masked patches and pads with 0", () => {
    const { positions, valid } = maskPositions(Uint8Array.of(0, 1, 0, 1, 1), 5);
    expect([...positions]).toEqual([1, 3, 4, 0, 0]);
    expect([...valid]).toEqual([1, 1, 1, 0, 0]);
  });

  it("refuses more patches than it has room for", () => {
    expect(() => maskPositions(Uint8Array.of(1, 1, 1), 2)).toThrow(ShapeError);
    expect(() => maskPositions(Uint8Array.of(1, 1, 1), 2)).toThrow("at most 2 masked patches, got 3");
  });
});
