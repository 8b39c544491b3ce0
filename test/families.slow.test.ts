/** Every family is exported. Slow: writes and runs 27 graphs. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportOnnx } from "../src/export/index.ts";
import type { FamilyName } from "../src/models/index.ts";
import { ANSWERS, type Answers } from "./support/family-answers.ts";
import { savedFamily } from "./support/saved-family.ts";

describe.each(Object.entries(ANSWERS) as [FamilyName, Answers][])("a %s", (name, answers) => {
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const saved = await savedFamily(name);
    const { files } = await exportOnnx(saved.folder, join(saved.folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(answers.exports);
    for (const { output, max, size } of files.flatMap(({ parity }) => parity))
      expect(max / Math.max(size, 1e-6), output).toBeLessThan(1e-4);
  });
});
