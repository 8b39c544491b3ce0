import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { castFloats } from "./cast.ts";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from "./half.ts";
import { fromNumbers, tensor } from "./tensor.ts";

const ALL = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
const KINDS = {
  half: { narrow: floatToHalf, widen: halfToFloat },
  bfloat16: { narrow: floatToBfloat16, widen: bfloat16ToFloat },
};
const VALUES = { half: halfToFloat(ALL), bfloat16: bfloat16ToFloat(ALL) };

/** The formula of IEEE 754, without bits of float32. */
function ieee(bits: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  const fraction = (bits & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

describe.each(["half", "bfloat16"] as const)("%s", (kind) => {
  const exponentBits = kind === "half" ? 5 : 8;

  it("widens all 65,536 patterns to the values of IEEE 754", () => {
    const wrong = [...ALL].filter((bits) => !Object.is(VALUES[kind][bits], ieee(bits, exponentBits)));
    expect(wrong).toEqual([]);
  });

  it("comes back from float32 as it was, and NaN as NaN", () => {
    const back = KINDS[kind].narrow(VALUES[kind]);
    const wrong = [...ALL].filter((bits) =>
      Number.isNaN(VALUES[kind][bits]) ? !Number.isNaN(ieee(back[bits]!, exponentBits)) : back[bits] !== bits,
    );
    expect(wrong).toEqual([]);
  });

  it("takes the nearest neighbour, the even one of two", () => {
    const positive = [...VALUES[kind]]
      .filter((x) => (x > 0 || Object.is(x, 0)) && Number.isFinite(x))
      .sort((a, b) => a - b);
    fc.assert(
      fc.property(fc.nat(positive.length - 2), fc.constantFrom(0.5, 0.25, 0.75), fc.boolean(), (i, share, minus) => {
        const [low, high] = [positive[i]!, positive[i + 1]!];
        const x = Math.fround(low + share * (high - low));
        if (x - low !== share * (high - low)) return; // no float32 in between: subnormal bfloat16
        const sign = minus ? -1 : 1;
        const bits = KINDS[kind].narrow(Float32Array.of(sign * x))[0]!;
        const even = KINDS[kind].narrow(Float32Array.of(low))[0]! % 2 === 0 ? low : high;
        expect(ieee(bits, exponentBits)).toBe(sign * (share === 0.5 ? even : share < 0.5 ? low : high));
      }),
    );
  });
});

describe("castFloats", () => {
  it("counts what a narrower type does not hold", () => {
    const t = fromNumbers([1, 1e5, -1e5, 1e-9, 0, Number.POSITIVE_INFINITY], [6]);
    expect(castFloats(t, "float16").loss).toEqual({ overflowed: 2, vanished: 1 });
    expect(castFloats(t, "bfloat16").loss).toEqual({ overflowed: 0, vanished: 0 });
    expect(castFloats(fromNumbers([1e300, 1e-300, 1], [3], "float64"), "float32")).toMatchObject({
      tensor: { dtype: "float32", data: Float32Array.of(Number.POSITIVE_INFINITY, 0, 1) },
      loss: { overflowed: 1, vanished: 1 },
    });
  });

  it("leaves whole numbers as they are", () => {
    const ids = tensor("int64", [2], BigInt64Array.of(1n, 2n));
    expect(castFloats(ids, "float16").tensor).toBe(ids);
  });
});
