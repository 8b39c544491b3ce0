import { describe, expect, it } from "vitest";
import { matchVocabularies } from "./match.ts";

describe("matchVocabularies", () => {
  it("goes by spelling, and says what only one of the two has", () => {
    const { oldIds, added, left } = matchVocabularies(
      ["[PAD]", "circle", "##s", "red"],
      ["[PAD]", "banana", "red", "s", "##s"],
    );
    expect([...oldIds]).toEqual([0, -1, 3, -1, 2]);
    expect(added).toEqual(["banana", "s"]);
    expect(left).toEqual(["circle"]);
  });

  it("of a vocabulary with itself is the identity", () => {
    const same = ["[PAD]", "a", "b"];
    expect(matchVocabularies(same, same)).toEqual({ oldIds: Int32Array.of(0, 1, 2), added: [], left: [] });
  });
});
