/** An ablation that is stopped in a training and in a measurement. Slow: six trainings, most of the time spent on opening sessions. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { ablationFiles, cheap, run } from "../../test/support/tiny-ablation.ts";

let root: string;
beforeAll(async () => {
  root = await ablationFiles();
});

describe("runAblation", () => {
  it("goes on where it was stopped, does nothing twice, and keeps the columns of before in the table", async () => {
    const out = await temporaryFolder();
    await run(root, await cheap(root, out, { only: ["5"], seeds: [1] }));
    expect((await readdir(out)).sort()).toContain("random");
    expect(await readdir(out)).not.toContain("shared");
    const plan = await cheap(root, out);
    expect((await run(root, plan, "words, seed 0: joint 2/3")).result).toMatchObject({ message: "stopped" });
    const second = await run(root, plan, "words, seed 0: pictures");
    expect(second.trained).toEqual([`words, seed 0: goes on in ${join(out, "words", "seed-0")}`]);
    expect(second.result).toMatchObject({ message: "stopped" });
    expect(second.shares[0]).toBeGreaterThan(0);
    const third = await run(root, plan);
    expect(third.trained.map((line) => line.split(":")[0])).toEqual([
      "text of several columns, seed 1",
      "words, seed 1",
    ]);
    expect(third.shares.at(-1)).toBeCloseTo(1, 10);
    expect([...third.shares].sort((a, b) => a - b)).toEqual(third.shares);
    expect((await readdir(join(out, "cells"))).length).toBe(4);

    expect((await run(root, plan)).trained).toEqual([]);
    const text = await readFile(join(out, "table.md"), "utf8");
    expect(text).toMatch(/^\| task \| metric \| 5 Random \| 6 Words \|$/m);
    expect(text).toMatch(/^\| Captions \| text_retrieval_recall@1 \| .* ± .* \| .* ± .* \|$/m);
    expect(text).toContain("over seeds: 5 Random 2, 6 Words 2.");
    expect(await readFile(join(out, "table.html"), "utf8")).toContain("6 Words less 5 Random");
  });
});
