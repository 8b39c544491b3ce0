import { describe, expect, it } from "vitest";
import { nearestRows } from "./exact.ts";

describe("nearestRows", () => {
  it("gives many in the order in which it gives few, without those that are not live", () => {
    const rows = Float32Array.from({ length: 4 * 3000 }, (_, i) => ((i * 7919) % 101) / 100);
    const query = Float32Array.of(0.5, 0.25, 0.75, 0.1);
    const isLive = (row: number): boolean => row % 3 !== 0;
    const many = nearestRows(rows, query, 5000, isLive);
    expect(many).toHaveLength(2000);
    expect(many.slice(0, 900)).toEqual(nearestRows(rows, query, 900, isLive));
  });
});
