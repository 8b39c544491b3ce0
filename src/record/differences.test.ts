import { describe, expect, it } from "vitest";
import { differences, hashOf, listDifferences } from "./differences.ts";

describe("differences", () => {
  it("tells absent from null and compares lists as wholes", () => {
    expect(differences({ a: null, b: [1, 2] }, { b: [1, 3], c: 1 })).toEqual([
      { path: "a", was: null, now: undefined },
      { path: "b", was: [1, 2], now: [1, 3] },
      { path: "c", was: undefined, now: 1 },
    ]);
  });

  it("are listed twenty at most, and counted", () => {
    const many = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`k${i}`, i]));
    const lines = listDifferences(differences({}, many)).split("\n");
    expect(lines).toHaveLength(21);
    expect(lines[0]).toBe("✖ k0: was absent, now 0");
    expect(lines.at(-1)).toBe("  and 3 more");
  });
});

describe("hashOf", () => {
  it("is the same for another order of keys, and another for other data", () => {
    expect(hashOf({ a: [1, { x: null }], b: "é" })).toBe(hashOf({ b: "é", a: [1, { x: null }] }));
    expect(hashOf({ a: [1, 2] })).not.toBe(hashOf({ a: [2, 1] }));
  });
});
