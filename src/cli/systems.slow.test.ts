/** The table of the compared systems, made of their recipes and models. Slow: builds the graphs of every published recipe. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { runCommand } from "../../test/support/run-command.ts";
import { type SystemRow, systemRows } from "./systems.ts";
import { define } from "./table.ts";

const named = (rows: readonly SystemRow[], name: string): SystemRow => rows.find(({ system }) => system === name)!;

describe("flava table --systems", () => {
  it("says what the published recipes train, and what their models answer", async () => {
    const rows = await systemRows("base");
    expect(rows.at(-1)).toMatchObject({
      system: "flava",
      contrastive: ["global_contrastive"],
      matching: ["itm"],
      masking: ["mmm_image", "mmm_text"],
      answers: { V: true, "CV&L": true, "MV&L": true, L: true },
    });
    expect(named(rows, "clip")).toMatchObject({
      parameters: 149_620_737,
      matching: [],
      masking: [],
      unimodal: [],
      answers: { V: true, "CV&L": true, "MV&L": false, L: true },
    });
    expect(named(rows, "vinvl")).toMatchObject({ contrastive: [], matching: ["triple"], masking: ["mlm"] });
    // Of pictures it answers nothing, of a detector's regions it does.
    expect(named(rows, "vinvl").answers).toEqual({ V: false, "CV&L": false, "MV&L": true, L: false });
    expect(named(rows, "unit").answers).toMatchObject({ "CV&L": false, "MV&L": true, L: true });
    expect(named(rows, "vinvl").lacks).toMatch(/what a detector saw/);
  });
  it("prints those of the starter data, as Markdown or CSV, and the results of an ablation below them", async () => {
    const { stdout } = await runCommand([define], "table", "--systems", "--starter");
    expect(stdout).toMatch(/\| vinvl \| \d\.\d M \| 0\.3 M pairs \| – \| triple \| mlm \| – \|/);
    const csv = await runCommand([define], "table", "--systems", "--format", "csv");
    expect(csv.stdout.split("\n")[0]).toBe(
      '"system","parameters","samples read","contrastive","matching","on pairs besides","unimodal","V","CV&L","MV&L","L"',
    );
    expect((await runCommand([define], "table", "x.jsonl", "--systems")).error).toMatchObject({
      message: expect.stringMatching(/--systems: expected the folder of an ablation beside it, got x.jsonl/),
    });
    const folder = await temporaryFolder();
    const record = {
      name: "few",
      samples: 8,
      columns: [{ key: "clip", title: "2 CLIP", about: "2 CLIP: little." }],
      tasks: [],
      base: {},
      recipes: {},
    };
    await writeFile(join(folder, "ablation.json"), JSON.stringify(record));
    const both = await runCommand([define], "table", folder, "--systems", "--starter");
    expect(both.stdout).toMatch(/\| vinvl \|[\s\S]*\| task \| metric \| 2 CLIP \|[\s\S]*2 CLIP: little\./);
  });
});
