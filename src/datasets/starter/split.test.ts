import { describe, expect, it } from "vitest";
import { splitConcepts } from "./split.ts";

const concept = (id: string, label: string, tags: readonly string[]) => ({
  id,
  label,
  tags,
  aliases: [],
  family: id,
  group: "objects",
  subgroup: "tool",
  skins: [],
});
const others = [concept("spool", "thread", ["spool", "needle", "sewing"]), concept("yarn", "yarn", ["sewing", "knit"])];

describe("splitConcepts", () => {
  const needle = concept("needle", "sewing needle", ["pin"]);
  const held = splitConcepts([needle], [], { testConcepts: 1, validationConcepts: 0 });

  it("leaves out what names a held-out concept when its tags stand side by side, in whatever order", () => {
    expect(held.of.get("needle")).toBe("test");
    expect(others.map(held.allowed)).toEqual([undefined, others[1]]);
  });

  it("leaves out tags that name a held-out concept, and pictures whose label does", () => {
    const kit = concept("kit", "kit", ["case", "two sewing needles"]);
    expect(held.allowed(kit)).toEqual({ ...kit, tags: ["case"] });
    expect(held.allowed(concept("box", "box of sewing needles", []))).toBeUndefined();
  });

  it("holds out single concepts for validation, whose names and relatives stay in training", () => {
    const split = splitConcepts([needle, ...others], [], { testConcepts: 0, validationConcepts: 1 });
    expect([...split.of.values()].sort()).toEqual(["train", "train", "validation"]);
    expect([split.names, split.isNamedIn("a sewing needle")]).toEqual([[], false]);
  });
});
