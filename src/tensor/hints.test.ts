import { describe, expect, it } from "vitest";
import { dtypeHint, fromNumbers, nearest, shapeHint, toNumbers } from "./index.ts";

describe("nearest", () => {
  it("finds the closest spelling", () =>
    expect(nearest("inptu_ids", ["labels", "input_ids"])).toBe('did you mean "input_ids"?'));
  it("lists names when none is close, not too many", () => {
    expect(nearest("zzz", ["alpha", "beta"])).toBe("known: alpha, beta");
    const many = Array.from({ length: 20 }, (_, i) => `layer.${i}`);
    expect(nearest("zzz", many)).toBe(`known: ${many.slice(0, 12).join(", ")}, … (20)`);
    expect(nearest("zzz", [])).toBe("there are none yet");
  });
});

describe("shapeHint", () => {
  it("tells a transpose, a reshape and another size apart", () => {
    expect(shapeHint([2, 3], [3, 2])).toMatch(/transpose/);
    expect(shapeHint([2, 3], [6])).toMatch(/reshape/);
    expect(shapeHint([2, 3], [4, 3])).toMatch(/pad or cut/);
  });
});

describe("dtypeHint", () => {
  it("names a call that does it", () => {
    expect(dtypeHint("float32")).toBe('fromNumbers(toNumbers(t), t.shape, "float32") converts it');
    const t = fromNumbers([1, 2], [2], "int32");
    expect(fromNumbers(toNumbers(t), t.shape, "float32").dtype).toBe("float32");
  });
});
