import { describe, expect, it } from "vitest";
import { random } from "../../tensor/index.ts";
import { company, eigen, leadingVectors, positiveInformation, type SparseRows } from "./cooccurrence.ts";

const texts = [[0, 1, 2, 3], [3, 3, 1], [4], []].map((ids) => Int32Array.from(ids));

const dense = ({ size, starts, columns, values }: SparseRows): number[][] =>
  Array.from({ length: size }, (_, i) => {
    const row = new Array<number>(size).fill(0);
    for (let k = starts[i]!; k < starts[i + 1]!; k++) row[columns[k]!] = row[columns[k]!]! + values[k]!;
    return row;
  });

/** As the definition says: a loop over all pairs of places. */
function naive(words: number, window: number): number[][] {
  const counts = new Array<number>(words).fill(0);
  for (const ids of texts) for (const id of ids) counts[id]!++;
  const total = counts.reduce((a, b) => a + b);
  const weight = counts.map((count) => Math.min(1, Math.sqrt((1e-4 * total) / Math.max(1, count))));
  const out = Array.from({ length: words }, () => new Array<number>(words).fill(0));
  for (const ids of texts)
    ids.forEach((a, i) => {
      ids.forEach((b, j) => {
        if (i !== j && Math.abs(i - j) <= window) out[a]![b]! += weight[a]! * weight[b]!;
      });
    });
  return out;
}

describe("company of words", () => {
  it.each([1, 2, 8])("is what a loop over all pairs of places counts, window %d", async (window) => {
    const found = dense(await company(texts, { words: 6, window }));
    naive(6, window).forEach((row, i) => {
      row.forEach((value, j) => {
        expect(found[i]![j]).toBeCloseTo(value, 9);
      });
    });
  });

  it("becomes the logarithm of how much more often than by chance two words meet, where that is above 0", async () => {
    const counts = naive(6, 2);
    const sums = counts.map((row) => row.reduce((a, b) => a + b));
    const total = sums.reduce((a, b) => a + b);
    const found = dense(positiveInformation(await company(texts, { words: 6, window: 2 })));
    counts.forEach((row, i) => {
      row.forEach((value, j) => {
        const expected = value === 0 ? 0 : Math.max(0, Math.log((value * total) / (sums[i]! * sums[j]!)));
        expect(found[i]![j]).toBeCloseTo(expected, 5);
      });
    });
  });
});

describe("leading vectors", () => {
  it("give back a matrix of their rank, but for the signs of its eigenvalues", async () => {
    const [size, rank] = [12, 3];
    const rng = random(1, "matrix");
    const factor = Array.from({ length: size }, () => Array.from({ length: rank }, () => rng.normal()));
    const full = factor.map((a) => factor.map((b) => a.reduce((sum, value, k) => sum + value * b[k]!, 0)));
    const matrix: SparseRows = {
      size,
      starts: Int32Array.from({ length: size + 1 }, (_, i) => i * size),
      columns: Int32Array.from({ length: size * size }, (_, i) => i % size),
      values: Float32Array.from(full.flat()),
    };
    const vectors = await leadingVectors(matrix, { rank, rng: random(1, "start") });
    full.forEach((row, i) => {
      row.forEach((value, j) => {
        let product = 0;
        for (let k = 0; k < rank; k++) product += vectors[i * rank + k]! * vectors[j * rank + k]!;
        expect(product).toBeCloseTo(value, 4);
      });
    });
  });

  it("are 0 beyond the rank of the matrix, and of words without company", async () => {
    const matrix = positiveInformation(await company(texts, { words: 6, window: 2 }));
    const vectors = await leadingVectors(matrix, { rank: 6, rng: random(2, "start") });
    expect(vectors.every(Number.isFinite)).toBe(true);
    expect(Math.max(...vectors.subarray(4 * 6).map(Math.abs))).toBeLessThan(1e-6);
  });

  it("come from eigenvectors: matrix times vector is value times vector, and they are orthonormal", () => {
    const rng = random(3, "symmetric");
    const n = 7;
    const a = Array.from({ length: n }, () => Float64Array.from({ length: n }, () => rng.normal()));
    const matrix = a.map((row, i) => row.map((value, j) => value + a[j]![i]!));
    const { values, vectors } = eigen(matrix);
    for (let k = 0; k < n; k++)
      for (let i = 0; i < n; i++) {
        const product = matrix[i]!.reduce((sum, value, j) => sum + value * vectors[j]![k]!, 0);
        expect(product).toBeCloseTo(values[k]! * vectors[i]![k]!, 9);
      }
    for (let k = 0; k < n; k++)
      for (let l = 0; l < n; l++)
        expect(vectors.reduce((sum, row) => sum + row[k]! * row[l]!, 0)).toBeCloseTo(Number(k === l), 9);
    expect([...values].map(Math.abs)).toEqual([...values].map(Math.abs).sort((x, y) => y - x));
  });
});
