import { describe, expect, it } from "vitest";
import { bfloat16ToFloat, halfToFloat } from "./half.ts";

describe("halfToFloat", () => {
  it("gives one, the smallest, the largest, zeros and what is no number", () => {
    const bits = [0x3c00, 0xc100, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e01];
    const values = [1, -2.5, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0, -0, Infinity, -Infinity, Number.NaN];
    expect([...halfToFloat(Uint16Array.from(bits))]).toEqual(values);
  });

  it("is strictly increasing over all finite halves above zero", () => {
    const values = halfToFloat(Uint16Array.from({ length: 0x7c01 }, (_, i) => i));
    for (let i = 1; i < values.length; i++) expect(values[i]! > values[i - 1]!).toBe(true);
  });
});

describe("bfloat16ToFloat", () => {
  it("puts zeros below", () => {
    expect([...bfloat16ToFloat(Uint16Array.of(0x3f80, 0xc020, 0x4049))]).toEqual([1, -2.5, 3.140625]);
  });
});
