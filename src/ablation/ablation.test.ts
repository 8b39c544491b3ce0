import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../test/support/colour-pictures.ts";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { TINY_RUN } from "../../test/support/tiny-run.ts";
import { markdownTable } from "../tasks/index.ts";
import { suits, trainingOf, trainingText } from "./describe.ts";
import { readAblation } from "./file.ts";
import { type AblationPlan, planAblation } from "./plan.ts";
import { findAblation } from "./record.ts";
import { runAblation } from "./run.ts";
import { ablationTable } from "./table.ts";

const { codebook, joint } = TINY_RUN.stages;
const stages = {
  codebook: { ...codebook, steps: 2 },
  joint: {
    ...joint,
    steps: 5,
    gradientAccumulationSteps: 1,
    init: { codebook: "codebook" },
    every: { log: 1, eval: 0, save: 1 },
  },
};
const BASE = { ...TINY_RUN, stages };
const onlyPairs = {
  extends: "base.yaml",
  stages: {
    codebook: null,
    joint: {
      sampling: { pairs: 0, contrast: 1, images: 0, texts: 0 },
      lossWeights: { mim: 0, mlm: 0, itm: 0, mmmImage: 0, mmmText: 0 },
      init: { codebook: "random" },
    },
  },
};
const onlyImages = {
  extends: "base.yaml",
  stages: { joint: { sampling: { pairs: 0, images: 1, texts: 0 }, best: null } },
};

const colours = {
  ...{ name: "colours", title: "Colours", order: 1, group: "vision", protocol: "linear" },
  data: {
    folder: "colours",
    layouts: ["class-folders"],
    classes: Object.keys(COLOURS),
    classCount: 4,
    source: "this test",
    splits: { train: ["train"], test: ["test"] },
  },
  figures: [{ metric: "accuracy" }],
};
const captions = {
  ...{ name: "captions", title: "Captions", order: 2, group: "multimodal", protocol: "retrieval" },
  data: { folder: "captions", layouts: ["karpathy-json"], source: "this test", splits: { test: ["test"] } },
  figures: [{ metric: "text_retrieval_recall@1" }],
};
const FILE = {
  ...{
    name: "tiny",
    samples: 12,
    seeds: [0, 1],
    base: "base.yaml",
    tasks: ["colours.json", "captions.json"],
    difference: ["both", "mim"],
  },
  columns: {
    mim: { number: 1, title: "MIM", recipe: "mim.yaml" },
    pairs: { number: 3, title: "FLAVA_C", recipe: "pairs.yaml" },
    both: { number: 6, title: "FLAVA", recipe: "base.yaml" },
  },
};

let root: string;
const write = async (path: string, content: string | Uint8Array | object): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(
    join(root, path),
    typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content),
  );
};
beforeAll(async () => {
  root = await temporaryFolder();
  await write("base.yaml", BASE);
  await write("pairs.yaml", onlyPairs);
  await write("mim.yaml", onlyImages);
  await write("colours.json", colours);
  await write("captions.json", captions);
  await write("tiny.yaml", FILE);
  const images: object[] = [];
  for (const [name, colour] of Object.entries(COLOURS)) {
    for (let i = 0; i < 2; i++) await write(`colours/train/${name}/${i}.ppm`, colourPicture(colour, i));
    await write(`colours/test/${name}/0.ppm`, colourPicture(colour, 9));
    await write(`captions/${name}.ppm`, colourPicture(colour));
    images.push({
      filename: `${name}.ppm`,
      split: "test",
      imgid: images.length,
      sentences: [{ raw: `a ${name} circle` }],
    });
  }
  await write("captions/dataset.json", { images });
});

const planned = async (out: string, more: object = {}): Promise<AblationPlan> =>
  planAblation({ file: await readAblation(join(root, "tiny.yaml")), out, ...more });

/** Runs it; `stop` is what must be going on for it to be stopped. */
async function run(plan: AblationPlan, stop?: string) {
  const notes: string[] = [];
  const shares: number[] = [];
  const abort = new AbortController();
  const result = await runAblation(plan, {
    ...{ dataRoot: root, command: "a test", note: (line: string) => void notes.push(line), signal: abort.signal },
    onProgress(done, what) {
      shares.push(done);
      if (stop !== undefined && what.startsWith(stop)) abort.abort(new Error("stopped"));
    },
  }).catch((error: Error) => error);
  return { result, trained: notes.filter((line) => /: (trains|goes on) in /.test(line)), shares };
}

describe("runAblation", () => {
  it("goes on where it was stopped, in training and in measuring, and does nothing twice", async () => {
    const out = await temporaryFolder();
    const plan = await planned(out);
    expect((await run(plan, "pairs, seed 0: joint 2/3")).result).toMatchObject({ message: "stopped" });
    expect(await readdir(join(out, "cells"))).toEqual(["colours_mim-seed-0_linear_probe.json"]);
    const second = await run(plan, "both, seed 0: pictures");
    expect(second.trained[0]).toBe(`pairs, seed 0: goes on in ${join(out, "pairs", "seed-0")}`);
    expect(second.result).toMatchObject({ message: "stopped" });
    expect(second.shares[0]).toBeGreaterThan(0);
    const third = await run(plan);
    expect(third.trained.map((line) => line.split(":")[0])).toEqual(
      ["codebook of several columns", "mim", "pairs", "both"].map((name) => `${name}, seed 1`),
    );
    expect(third.shares.at(-1)).toBeCloseTo(1, 10);
    expect([...third.shares].sort((a, b) => a - b)).toEqual(third.shares);
    expect((await readdir(join(out, "cells"))).length).toBe(2 * (1 + 2 + 2));

    const again = await run(plan);
    expect(again.trained).toEqual([]);
    const text = await readFile(join(out, "table.md"), "utf8");
    expect(text).toBe(`${markdownTable(await ablationTable(out, (await findAblation(out))!))}\n`);
    expect(text).toMatch(/^\| task \| metric \| 1 MIM \| 3 FLAVA_C \| 6 FLAVA \|$/m);
    expect(text).toMatch(/^\| Captions \| text_retrieval_recall@1 \| – \| .* ± .* \|$/m);
    expect(text).toContain("over seeds: 1 MIM 2, 3 FLAVA_C 2, 6 FLAVA 2.");
    expect(await readFile(join(out, "table.html"), "utf8")).toContain("6 FLAVA less 1 MIM");

    await expect(
      planned(out).then(({ file, ...rest }) => run({ ...rest, file: { ...file, samples: 16 } })),
    ).resolves.toMatchObject({
      result: { message: expect.stringMatching(/ablation.json: expected the ablation .*\n✖ samples: was 12, now 16/) },
    });
  });

  it("trains the columns and seeds that are asked for, and keeps those of before in the table", async () => {
    const out = await temporaryFolder();
    await run(await planned(out, { only: ["3"], seeds: [1] }));
    expect(await readdir(out)).not.toContain("shared");
    const { result } = await run(await planned(out, { only: ["mim"], seeds: [1] }));
    expect(result).toMatchObject({ table: { columns: [{ title: "1 MIM" }, { title: "3 FLAVA_C" }] } });
  });

  it("refuses missing data before any training", async () => {
    const out = await temporaryFolder();
    const plan = await planned(out);
    const gone = { ...plan.file.tasks[0]!, name: "gone", data: { ...plan.file.tasks[0]!.data, folder: "gone" } };
    const { result } = await run({ ...plan, file: { ...plan.file, tasks: [gone] } });
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

describe("readAblation", () => {
  const read = async (changes: object): Promise<string> => {
    await write("bad.yaml", { ...FILE, ...changes });
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
  it("the package's own is a table of the paper's columns 1 to 7", async () => {
    const { columns, tasks } = await readAblation("recipes/ablation-starter.yaml");
    expect(Object.values(columns).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(tasks.length).toBeGreaterThanOrEqual(5);
  });
});
