import { describe, expect, it } from "vitest";
import { collect } from "../../test/support/data-fixtures.ts";
import { ConfigError } from "../errors.ts";
import { type DataSpec, dataLocations, dataName, dataSchema, fetchData, openData } from "./index.ts";

describe("a data spec", () => {
  it("is a source of data/ or a part of a named set, and nothing else", () => {
    const good: DataSpec[] = [
      { type: "tar", path: ["a.tar", "b.tar"] },
      { type: "starter", part: "pairs", heldOutBy: "concepts" },
    ];
    for (const spec of good) expect(dataSchema.parse(spec)).toEqual(spec);
    for (const spec of [
      { type: "starter", part: "pairs", path: "x" },
      { type: "starter" },
      { type: "tar", part: "pairs" },
      { type: "zip", path: "a.zip" },
    ])
      expect(dataSchema.safeParse(spec).success, JSON.stringify(spec)).toBe(false);
  });

  it("has a name for logs, and names its own files", () => {
    expect(dataName("starter:pairs")).toBe("starter:pairs");
    expect(dataName({ type: "starter", part: "pairs", heldOutBy: "concepts" })).toBe("starter:pairs by concepts");
    expect(dataName({ type: "starter", part: "pairs", name: "mine" })).toBe("mine");
    expect(dataName({ type: "tar", path: ["a.tar", "b.tar"] })).toBe("a.tar::b.tar");
    expect(dataLocations("tar:s{0..1}.tar")).toEqual(["s0.tar", "s1.tar"]);
    expect(dataLocations({ type: "csv", path: "a.csv" })).toEqual(["a.csv"]);
    for (const none of ["starter:pairs", "synthetic:10x8", { type: "synthetic", count: 3 }] as const)
      expect(dataLocations(none)).toEqual([]);
  });
});

describe("openData", () => {
  it("opens sources as openSource does", async () => {
    expect(await collect(await openData("synthetic:3x16"))).toHaveLength(3);
    await expect(openData("/nowhere/x.tar").then(collect)).rejects.toThrow(/ENOENT/);
  });

  it("says what is wrong with a part, and has nothing to fetch for a source", async () => {
    await expect(openData("starter:")).rejects.toThrow(ConfigError);
    await expect(openData("zip:a")).rejects.toThrow(/one of .*tar.*, got zip/);
    await fetchData("synthetic:3x16");
  });
});
