import { describe, expect, it } from "vitest";
import { random } from "../../tensor/index.ts";
import { kMeans, leastSquares, predict, type Rows } from "./clusters.ts";

const normals = (rows: number, width: number, purpose: string): Rows => {
  const rng = random(4, purpose);
  return { width, data: Float32Array.from({ length: rows * width }, () => rng.normal()) };
};

describe("leastSquares", () => {
  it("finds a linear rule with a bias again", () => {
    const x = normals(200, 5, "x");
    const rule = [
      [1, -2],
      [0.5, 0],
      [0, 3],
      [-1, 1],
      [2, 0.25],
      [0.7, -0.3],
    ];
    const y = predict(
      x,
      rule.map((row) => Float64Array.from(row)),
    );
    const found = leastSquares(x, y);
    for (const [i, row] of rule.entries())
      for (const [e, value] of row.entries()) expect(Math.abs(found[i]![e]! - value)).toBeLessThan(0.02);
  });

  it("leaves errors that no feature explains: they are orthogonal to all", () => {
    const [x, y] = [normals(300, 4, "x"), normals(300, 2, "y")];
    const predicted = predict(x, leastSquares(x, y)).data;
    for (let d = 0; d < 4; d++) {
      let dot = 0;
      for (let i = 0; i < 300; i++) dot += x.data[4 * i + d]! * (y.data[2 * i]! - predicted[2 * i]!);
      expect(Math.abs(dot / 300)).toBeLessThan(0.01);
    }
  });

  it("bears features that are all alike, and none that differs", () => {
    const x: Rows = { width: 2, data: Float32Array.from([1, 1, 2, 2, 3, 3]) };
    const y: Rows = { width: 1, data: Float32Array.from([2, 4, 6]) };
    for (const value of predict(x, leastSquares(x, y)).data) expect(Number.isFinite(value)).toBe(true);
    const none = leastSquares({ width: 1, data: new Float32Array(3) }, y);
    expect(none[1]![0]).toBeCloseTo(4, 6);
  });
});

describe("kMeans", () => {
  it("finds clusters that lie apart, whatever their sizes", () => {
    const rng = random(1, "points");
    const data = Array.from({ length: 90 }, (_, i) =>
      [i < 60 ? 0 : 10, i < 80 ? 0 : 7].map((c) => c + 0.1 * rng.normal()),
    );
    const { centres, distance } = kMeans({ width: 2, data: Float32Array.from(data.flat()) }, 3, random(2, "k"), 30);
    const found = [0, 1, 2].map((v) => Array.from(centres.data.subarray(2 * v, 2 * v + 2), Math.round).join());
    expect(found.sort()).toEqual(["0,0", "10,0", "10,7"]);
    expect(distance).toBeLessThan(0.1);
  });

  it("is as far from its centres as the naive count says, and no farther after more rounds", () => {
    const x = normals(200, 3, "k");
    const few = kMeans(x, 8, random(3, "k"), 2);
    const many = kMeans(x, 8, random(3, "k"), 20);
    expect(many.distance).toBeLessThan(few.distance);
  });

  it("has centres for fewer rows than clusters", () => {
    const { centres, distance } = kMeans(normals(3, 2, "few"), 5, random(1, "k"));
    expect(centres.data).toHaveLength(10);
    expect(distance).toBeCloseTo(0, 9);
  });
});
