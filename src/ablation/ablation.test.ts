import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import {
  ablationFiles,
  cheap,
  plannedAblation,
  run,
  TINY_ABLATION,
  writeInto,
} from "../../test/support/tiny-ablation.ts";
import { markdownTable, resultTable } from "../tasks/index.ts";
import { curveChart } from "./curves.ts";
import { gapsOf, suits, trainingOf, trainingText } from "./describe.ts";
import { readAblation } from "./file.ts";
import { type AblationPlan, planAblation } from "./plan.ts";
import { findAblation } from "./record.ts";
import { ablationTable } from "./table.ts";

let root: string;
const write = (path: string, content: object): Promise<void> => writeInto(root, path, content);
beforeAll(async () => {
  root = await ablationFiles();
});
const planned = (out: string, more: object = {}): Promise<AblationPlan> => plannedAblation(root, out, more);

describe("runAblation", () => {
  it("measures what it trained, writes the table, and finds all of it done the next time", async () => {
    const out = await temporaryFolder();
    const plan = await cheap(root, out, { only: ["5"], seeds: [1] });
    const { result, trained } = await run(root, plan);
    expect(trained).toEqual([`random, seed 1: trains in ${join(out, "random", "seed-1")}`]);
    expect(result).toMatchObject({ table: { columns: [{ title: "5 Random" }] }, failed: [] });
    expect(await readdir(join(out, "cells"))).toEqual(["captions_random-seed-1_zeroshot_retrieval.json"]);
    expect((await run(root, plan)).trained).toEqual([]);
    const text = await readFile(join(out, "table.md"), "utf8");
    expect(text).toBe(`${markdownTable(await ablationTable(out, (await findAblation(out))!))}\n`);

    const other = { ...plan, file: { ...plan.file, samples: 16 } };
    expect((await run(root, other)).result).toMatchObject({
      message: expect.stringMatching(/ablation.json: expected the ablation .*\n✖ samples: was 12, now 16/),
    });
  });

  it("refuses missing data before any training", async () => {
    const out = await temporaryFolder();
    const plan = await planned(out);
    const gone = { ...plan.file.tasks[0]!, name: "gone", data: { ...plan.file.tasks[0]!.data, folder: "gone" } };
    const { result } = await run(root, { ...plan, file: { ...plan.file, tasks: [gone] } });
    expect(result).toMatchObject({
      message: expect.stringMatching(/^task gone: expected its data in .*gone, found none/),
    });
    expect(await readdir(out)).toEqual([]);
  });
});

describe("planAblation", () => {
  it("gives every column the budget's samples, and trains once what columns share", async () => {
    const { runs, columns } = await planned("out");
    expect(columns.map(({ key, shared }) => [key, ...shared])).toEqual([
      ["mim", "codebook"],
      ["pairs"],
      ["both", "codebook"],
    ]);
    expect(runs.map(({ title }) => title).slice(0, 4)).toEqual([
      "codebook of several columns, seed 0",
      "mim, seed 0",
      "pairs, seed 0",
      "both, seed 0",
    ]);
    for (const { recipe, seed, column } of runs) {
      expect(recipe.seed).toBe(seed);
      expect(recipe.vocabulary).toMatchObject({ kind: "file", path: "out/tokenizer.json" });
      if (column) expect(recipe.stages.joint).toMatchObject({ steps: 3, batchSize: 4, best: null });
    }
    expect(runs[1]!.recipe.stages.joint!.init).toMatchObject({
      codebook: { path: "out/shared/codebook/seed-0/codebook" },
    });
  });

  it("a stage that differs from the base's is the column's own", async () => {
    await write("other.yaml", { extends: "base.yaml", stages: { codebook: { steps: 1 } } });
    const file = await readAblation(join(root, "tiny.yaml"));
    const columns = { other: { number: 9, title: "other", recipe: join(root, "other.yaml") } };
    const { runs } = await planAblation({ file: { ...file, columns }, out: "out", seeds: [0] });
    expect(runs.map(({ recipe }) => Object.keys(recipe.stages))).toEqual([["codebook", "joint"]]);
  });
});

describe("what a column trains", () => {
  it("is read off the graphs of its steps", async () => {
    const { columns, tables, file } = await planned("out");
    const [mim, pairs, both] = await Promise.all(columns.map((column) => trainingOf(column, tables)));
    expect(mim).toMatchObject({
      losses: { image: ["mim"] },
      encoders: ["image"],
      answers: expect.arrayContaining(["image_embeddings"]),
      samples: { images: 12 },
      from: { image: "random" },
    });
    expect(pairs).toMatchObject({
      losses: { contrast: ["global_contrastive"] },
      from: { image: "random", text: "random" },
    });
    expect(Object.keys(both!.losses)).toEqual(["pair", "image", "text"]);
    expect(trainingText(pairs!)).toBe(
      "3 FLAVA_C: global_contrastive (contrast). 3 steps on 12 pairs of synthetic:24. image from random weights, text from random weights.",
    );
    expect([mim, pairs, both].map((one) => file.tasks.map((task) => suits(one!, task)))).toEqual([
      [true, false],
      [true, true],
      [true, true],
    ]);
  });
});

describe("columns of other families", () => {
  it("are measured on what their models answer, and say why they are not on the rest", async () => {
    const file = await readAblation("recipes/compared.yaml");
    const { columns, tables } = await planAblation({
      file,
      out: "out",
      only: ["clip", "simvlm", "vilt", "intra-modal"],
    });
    const trainings = await Promise.all(columns.map((column) => trainingOf(column, tables)));
    const tasks = trainings.map((one) => file.tasks.filter((task) => suits(one, task)).map(({ protocol }) => protocol));
    expect(tasks[0]).toEqual(["linear-text", "linear", "retrieval", "retrieval", "retrieval"]);
    expect(tasks[1]).toEqual(["linear-text", "linear", "ranking"]);
    expect(tasks[2]).toEqual(["matching", "ranking"]);
    expect(tasks[3]).toHaveLength(file.tasks.length);
    expect(gapsOf(trainings[1]!, file.tasks)).toEqual([
      expect.stringMatching(
        /^4 SimVLM, – in Unseen families, Unseen style, Unseen source: SimVLM has no contrastive space/,
      ),
      expect.stringMatching(/^4 SimVLM, – in Starter matching: SimVLM has no matching head/),
    ]);
    expect(columns[3]!.shared).toEqual(["codebook"]); // its multimodal encoder differs from the base's, its codebook does not
  });
  it("take changes to their recipes, and stand on curves", async () => {
    const file = await readAblation("recipes/compared/bias/bias.yaml");
    const { columns } = await planAblation({ file, out: "out", only: ["vit-fifth", "resnet-all"] });
    expect(columns.map(({ resolved }) => resolved.data.pairs.map(({ share }) => share))).toEqual([
      [0.2, 0.2, 0.2],
      [1, 1, 1],
    ]);
    const record = {
      ...{ name: "bias", samples: 1, tasks: file.tasks, curves: file.curves, base: {}, recipes: {} },
      columns: columns.map(({ key, title, point }) => ({ key, title, about: "", gaps: [], point })),
    };
    const values = new Map([["starter-style/text_retrieval_recall@10", 7]]);
    const row = columns.map(({ key, title }) => ({ key, title, values }));
    const svg = curveChart(resultTable(file.tasks, row), record)!;
    expect(svg).toContain("Unseen style TR R@10");
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg).not.toContain("shuffled");
    expect(curveChart(resultTable(file.tasks, []), record)).toBeUndefined();
  });
});

describe("readAblation", () => {
  const read = async (changes: object): Promise<string> => {
    await write("bad.yaml", { ...TINY_ABLATION, ...changes });
    return readAblation(join(root, "bad.yaml")).then(
      () => "",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  };
  it("names an unknown key, a column that is none, a recipe and a task that do not exist", async () => {
    expect(await read({ sample: 3 })).toMatch(
      /ConfigError: .*bad.yaml: .*\n✖ unknown key "sample": did you mean "samples"/,
    );
    expect(await read({ samples: "many" })).toMatch(/expected a number, got "many"\n\s*→ at samples/);
    expect(await read({ difference: ["both", "mmi"] })).toMatch(/"mmi" is no column: did you mean "mim"/);
    expect(await read({ seeds: [1, 1] })).toMatch(/expected different numbers/);
    expect(await read({ base: "none.yaml" })).toMatch(/none.yaml: there is no such file → at base/);
    expect(await read({ tasks: ["starter-familes"] })).toMatch(
      /NameError: .*bad.yaml: task "starter-familes" does not exist\n.*starter-families/,
    );
    const point = { ...TINY_ABLATION.columns.mim, point: { line: "a", at: 1 } };
    expect(await read({ curves: { by: "x", figures: ["colours/accuracy"] } })).toMatch(
      /no column is a point of a line/,
    );
    expect(
      await read({ columns: { mim: point }, difference: undefined, curves: { by: "x", figures: ["colours/acc"] } }),
    ).toMatch(/curves: expected a figure of its tasks, got "colours\/acc"/);
    expect(await read({ samples: 4 })).toBe("");
    expect(await readAblation(join(root, "gone.yaml")).catch((error: Error) => error.message)).toMatch(
      /gone.yaml: expected an ablation's file/,
    );
  });
  it("--only names columns by number or key, and a budget below the warm-up is refused", async () => {
    await expect(planned("out", { only: ["4"] })).rejects.toThrow(
      /--only 4: expected a column of .*tiny.yaml, got "4"\n.*1 \(mim\), 3 \(pairs\), 6 \(both\)/,
    );
    const file = await readAblation(join(root, "tiny.yaml"));
    await expect(planAblation({ file: { ...file, samples: 8 }, out: "out" })).rejects.toThrow(
      /columns.mim: 8 samples are 2 steps of joint, and its warm-up alone takes 2/,
    );
  });
  it("the longer one of the package has two of these columns, from the same recipes, and more samples", async () => {
    const [all, long] = [
      await readAblation("recipes/ablation-starter.yaml"),
      await readAblation("recipes/ablation-long.yaml"),
    ];
    expect(Object.keys(long.columns)).toEqual(["flava-c", "flava"]);
    for (const [key, column] of Object.entries(long.columns)) expect(column).toEqual(all.columns[key]);
    expect(long.samples).toBeGreaterThan(2 * all.samples);
  });

  it("the package's own is a table of the paper's columns 1 to 7", async () => {
    const { columns, tasks } = await readAblation("recipes/ablation-starter.yaml");
    expect(Object.values(columns).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(tasks.length).toBeGreaterThanOrEqual(5);
  });
});
