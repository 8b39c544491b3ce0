import { describe, expect, it } from "vitest";
import { fnv1a, permutation, philox, type Random, random } from "./random.ts";

const hex = (counter: number[], key: [number, number]): string[] => {
  const out = new Uint32Array(4);
  philox(Uint32Array.from(counter), key[0], key[1], out);
  return Array.from(out, (x) => x.toString(16).padStart(8, "0"));
};

/** Pearson's χ² of counts that should be equal. */
const chiSquared = (counts: ArrayLike<number>): number => {
  const list = Array.from(counts);
  const expected = list.reduce((a, b) => a + b, 0) / list.length;
  return list.reduce((s, n) => s + (n - expected) ** 2 / expected, 0);
};

/** χ² with k degrees of freedom is below this with probability 1 − 10⁻⁶ (Wilson & Hilferty 1931). */
const chiSquaredLimit = (k: number): number => k * (1 - 2 / (9 * k) + 4.753 * Math.sqrt(2 / (9 * k))) ** 3;

const draw = (n: number, next: () => number): number[] => Array.from({ length: n }, next);

/** Correlation of two samples; for independent ones, normal with deviation 1/√n. */
function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  const cov = (a: readonly number[], ma: number, b: readonly number[], mb: number): number =>
    mean(a.map((v, i) => (v - ma) * (b[i]! - mb)));
  return cov(x, mx, y, my) / Math.sqrt(cov(x, mx, x, mx) * cov(y, my, y, my));
}

describe("philox", () => {
  // the known-answer vectors that the authors publish with Random123
  it("gives the published blocks of Philox4x32-10", () => {
    expect(hex([0, 0, 0, 0], [0, 0])).toEqual(["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
    const ones = 0xffffffff;
    expect(hex([ones, ones, ones, ones], [ones, ones])).toEqual(["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]);
    const pi = hex([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]);
    expect(pi).toEqual(["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]);
  });

  it("multiplies 32-bit numbers exactly: a BigInt version gives the same blocks", () => {
    const exact = (counter: number[], key: [number, number]): string[] => {
      let c = counter.map(BigInt);
      let [k0, k1] = key.map(BigInt) as [bigint, bigint];
      const mask = 0xffffffffn;
      for (let round = 0; round < 10; round++) {
        const [p0, p1] = [0xd2511f53n * c[0]!, 0xcd9e8d57n * c[2]!];
        c = [(p1 >> 32n) ^ c[1]! ^ k0, p1 & mask, (p0 >> 32n) ^ c[3]! ^ k1, p0 & mask];
        [k0, k1] = [(k0 + 0x9e3779b9n) & mask, (k1 + 0xbb67ae85n) & mask];
      }
      return c.map((x) => x.toString(16).padStart(8, "0"));
    };
    const rng = random(1, "counters");
    for (let i = 0; i < 200; i++) {
      const counter = draw(4, rng.bits);
      const key: [number, number] = [rng.bits(), rng.bits()];
      expect(hex(counter, key)).toEqual(exact(counter, key));
    }
  });
});

describe("fnv1a", () => {
  it("gives the published values", () => {
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe("random", () => {
  it("is a function of its arguments, and each of them counts", () => {
    const first = (...args: Parameters<typeof random>): string => draw(8, random(...args).bits).join();
    expect(first(7, "mask", 3, 4)).toBe(first(7, "mask", 3, 4));
    const others = [
      first(8, "mask", 3, 4),
      first(7 + 2 ** 32, "mask", 3, 4),
      first(7, "drop", 3, 4),
      first(7, "mask", 4, 3),
      first(7, "mask", 3 + 2 ** 32, 4),
      first(7, "mask", 3, 5),
    ];
    expect(others).not.toContain(first(7, "mask", 3, 4));
  });

  it("keeps apart what differs in high bits only", () => {
    const first = (...args: Parameters<typeof random>): string => draw(8, random(...args).bits).join();
    const high = 2 ** 32;
    const all = [0, 1, 2].flatMap((i) =>
      [0, 1, 2].map((j) => first(5 + i * high, "mask", 9 + j * high, 4)).concat(first(9 + i * high, "mask", 5, 4)),
    );
    expect(new Set(all).size).toBe(12);
    expect(first(5 + high, "mask", 9)).not.toBe(first(5, "mask", 9 + high));
  });

  it("refuses numbers that it could not tell apart from others", () => {
    expect(() => random(2 ** 53, "mask")).toThrow(/seed: expected a whole number from 0 to 2\^53 - 1/);
    expect(() => random(-1, "mask")).toThrow(/got -1/);
    expect(() => random(1, "mask", 2 ** 43)).toThrow(/random: a: .*2\^43/);
    expect(() => random(1, "mask", 0, 1.5)).toThrow(/random: b: .*got 1.5/);
  });

  it("does not repeat a block: long streams of neighbours share no 64-bit word", () => {
    const words = new Set<string>();
    for (let b = 0; b < 8; b++) {
      const rng = random(0, "overlap", 0, b);
      for (let i = 0; i < 1000; i++) words.add(`${rng.bits()},${rng.bits()}`);
    }
    expect(words.size).toBe(8000);
  });

  it("draws uniform numbers in [0, 1): 256 bins, and the low byte too", () => {
    const rng = random(11, "uniform");
    const [high, low] = [new Uint32Array(256), new Uint32Array(256)];
    for (let i = 0; i < 100_000; i++) {
      const u = rng.uniform();
      high[Math.floor(u * 256)]!++;
      low[(u * 2 ** 32) & 255]!++;
    }
    expect(high.reduce((a, b) => a + b)).toBe(100_000);
    expect(chiSquared(high)).toBeLessThan(chiSquaredLimit(255));
    expect(chiSquared(low)).toBeLessThan(chiSquaredLimit(255));
  });

  it("draws pairs of successive numbers that fill the square evenly", () => {
    const rng = random(12, "pairs");
    const bins = new Uint32Array(32 * 32);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(rng.uniform() * 32) * 32 + Math.floor(rng.uniform() * 32)]!++;
    expect(chiSquared(bins)).toBeLessThan(chiSquaredLimit(1023));
  });

  it("has independent streams for neighbouring seeds, steps, samples and purposes", () => {
    const n = 20_000;
    const sample = (rng: Random): number[] => draw(n, rng.uniform);
    const base = sample(random(1, "mask", 5, 9));
    for (const other of [
      random(2, "mask", 5, 9),
      random(1, "mask", 6, 9),
      random(1, "mask", 5, 10),
      random(1, "masks", 5, 9),
    ])
      expect(Math.abs(correlation(base, sample(other)))).toBeLessThan(5 / Math.sqrt(n));
  });

  it("has independent first numbers across samples: what one draw a sample sees", () => {
    const n = 20_000;
    const firsts = Array.from({ length: n }, (_, b) => random(3, "flip", 17, b).uniform());
    const bins = new Uint32Array(64);
    for (const u of firsts) bins[Math.floor(u * 64)]!++;
    expect(chiSquared(bins)).toBeLessThan(chiSquaredLimit(63));
    expect(Math.abs(correlation(firsts.slice(1), firsts.slice(0, -1)))).toBeLessThan(5 / Math.sqrt(n));
  });

  it("draws whole numbers below n without bias", () => {
    const rng = random(13, "integer");
    const bins = new Uint32Array(7);
    for (let i = 0; i < 70_000; i++) bins[rng.integer(7)]!++;
    expect(chiSquared(bins)).toBeLessThan(chiSquaredLimit(6));
    // n = 3·2³⁰: taking the remainder without rejection would draw the lowest third twice as often
    const thirds = new Uint32Array(3);
    for (let i = 0; i < 30_000; i++) thirds[Math.floor(rng.integer(3 * 2 ** 30) / 2 ** 30)]!++;
    expect(chiSquared(thirds)).toBeLessThan(chiSquaredLimit(2));
    expect(rng.integer(1)).toBe(0);
  });

  it("draws normal numbers: moments, and the shares within 1, 2 and 3 deviations", () => {
    const n = 100_000;
    const x = draw(n, random(14, "normal").normal);
    const moment = (k: number): number => x.reduce((s, v) => s + v ** k, 0) / n;
    // standard errors: 1/√n, √2/√n, √15/√n, √96/√n
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(n));
    expect(Math.abs(moment(3))).toBeLessThan((5 * Math.sqrt(15)) / Math.sqrt(n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan((5 * Math.sqrt(96)) / Math.sqrt(n));
    for (const [within, share] of [
      [1, 0.682689492],
      [2, 0.954499736],
      [3, 0.997300204],
    ] as const) {
      const seen = x.filter((v) => Math.abs(v) < within).length / n;
      expect(Math.abs(seen - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / n));
    }
    const even = x.filter((_, i) => i % 2 === 0);
    const odd = x.filter((_, i) => i % 2 === 1);
    expect(Math.abs(correlation(even, odd))).toBeLessThan(5 / Math.sqrt(n / 2));
  });
});

describe("permutation", () => {
  it("holds every number once", () => {
    expect([...permutation(100, random(1, "p"))].sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    expect([...permutation(0, random(1, "p"))]).toEqual([]);
  });

  it("draws all 24 orders of 4 equally often", () => {
    const counts = new Map<string, number>();
    for (let b = 0; b < 24_000; b++) {
      const order = permutation(4, random(2, "orders", 0, b)).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(chiSquared([...counts.values()])).toBeLessThan(chiSquaredLimit(23));
  });
});
