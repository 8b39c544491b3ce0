/** Average precision of detections beside pycocotools. */
import { describe, expect, it } from "vitest";
import cases from "../../../test/golden/detection.json" with { type: "json" };
import { type Box, detectionScores } from "./detection.ts";

const corners = ([x, y, w, h]: readonly number[]): Box => [x!, y!, x! + w!, y! + h!];

describe("average precision", () => {
  it.each(cases.map((one, i) => ({ name: `case ${i}`, ...one })))("of $name is pycocotools'", (one) => {
    const pictures = Array.from({ length: one.pictures }, (_, p) => ({
      truth: one.truth
        .filter(([at]) => at === p)
        .map(([, c, box]) => ({ class: c as number, box: corners(box as number[]) })),
      found: one.found
        .filter(([at]) => at === p)
        .map(([, c, box, score]) => ({ class: c as number, box: corners(box as number[]), score: score as number })),
    }));
    const found = detectionScores(pictures)!;
    for (const [name, expected] of Object.entries(one.scores))
      expect(found, name).toHaveProperty(name, expect.closeTo(expected, 10));
  });
  it("of pictures without boxes is undefined, and of nothing found 0", () => {
    expect(detectionScores([{ truth: [], found: [{ class: 0, box: [0, 0, 1, 1], score: 1 }] }])).toBeUndefined();
    expect(detectionScores([{ truth: [{ class: 0, box: [0, 0, 1, 1] }], found: [] }])).toEqual({
      ap: 0,
      ap50: 0,
      ap75: 0,
      ar100: 0,
    });
  });
});
