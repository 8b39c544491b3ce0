import { describe, expect, it } from "vitest";
import { means } from "./means.ts";

describe("means", () => {
  it("are over the steps that had the metric, since the last line", () => {
    const recent = means();
    for (const metrics of [{ loss: 1, mim: 8 }, { loss: 2 }, { loss: 6, mlm: 0.5 }]) recent.add(metrics);
    expect(recent.take()).toEqual({ loss: 3, mim: 8, mlm: 0.5 });
    expect(recent.take()).toEqual({});
    recent.add({ loss: 7 });
    expect(recent.take()).toEqual({ loss: 7 });
  });

  it("go on from their sums to the bit, through JSON", () => {
    const values = [0.1, 0.2, 0.3, 1e-17, 7];
    const [whole, first] = [means(), means()];
    for (const loss of values) whole.add({ loss });
    for (const loss of values.slice(0, 3)) first.add({ loss });
    const second = means(JSON.parse(JSON.stringify(first.sums())));
    for (const loss of values.slice(3)) second.add({ loss });
    expect(second.take()).toEqual(whole.take());
  });
});
