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
  it("leaves out what names a held-out concept when its tags stand side by side, in whatever order", () => {
    const needle = concept("needle", "sewing needle", ["pin"]);
    const held = splitConcepts([needle], [], { testConcepts: 1, validationConcepts: 0 });
    expect(held.of.get("needle")).toBe("test");
    expect(others.map(held.isNamedBy)).toEqual([true, false]);
  });
});
