import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Cell,
  cellColumns,
  cellNotes,
  csvTable,
  htmlTable,
  markdownTable,
  paperTasks,
  pickTasks,
  publishedColumns,
  publishedSystems,
  publishedTable,
  type ResultTable,
  readCells,
  readTask,
  resultTable,
  saveCell,
  systemColumns,
  type Task,
} from "./index.ts";

let tasks: Task[];
beforeAll(async () => {
  tasks = await paperTasks();
});

const cell = (dataset: string, metrics: Cell["metrics"], model = "mine"): Cell => ({
  dataset,
  model,
  pretrained: "runs/mine",
  task: "finetune",
  language: "en",
  metrics,
});

describe("task files", () => {
  it("are the 35 of the paper: 8 of language, 22 of images, 5 of both with 11 figures", () => {
    const count = (group: string): number => tasks.filter((task) => task.group === group).length;
    expect([tasks.length, count("nlp"), count("vision"), count("multimodal")]).toEqual([35, 8, 22, 5]);
    expect(tasks.filter((t) => t.group === "multimodal").flatMap((t) => t.figures)).toHaveLength(11);
    expect(new Set(tasks.map((t) => t.order)).size).toBe(35);
  });

  it("agree with themselves: classes are as many as counted, steps follow from sizes", () => {
    for (const { name, data } of tasks)
      if (data.classes && data.classCount) expect([name, data.classes.length]).toEqual([name, data.classCount]);
    for (const { name, settings } of tasks)
      if (settings) expect([name, settings.warmupSteps < settings.steps]).toEqual([name, true]);
    expect(tasks.find((t) => t.name === "imagenet")!.templates).toHaveLength(80);
  });

  it("with an unknown key or value are refused by file and key", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "flava-task-")), "mine.json");
    writeFileSync(path, JSON.stringify({ ...tasks[0], metrics: [] }));
    await expect(readTask(path)).rejects.toThrow(
      /^task mnli: .*mine\.json: expected a task file\n✖ unknown key "metrics"/,
    );
    writeFileSync(path, JSON.stringify({ ...tasks[0], data: { ...tasks[0]!.data, layouts: ["glue"] } }));
    await expect(readTask(path)).rejects.toThrow(/mine\.json: .*layouts/s);
    const [first] = tasks as [Task];
    const wrong = async (change: object): Promise<void> => {
      writeFileSync(path, JSON.stringify({ ...first, ...change }));
      await readTask(path);
    };
    await expect(wrong({ templates: ["a {} of {kind}"] })).rejects.toThrow(
      /expected \{\} for the class, and no other braces/,
    );
    await expect(wrong({ figures: [{ metric: "acuracy" }] })).rejects.toThrow(/unknown metric "acuracy".*"accuracy"/);
    await expect(wrong({ data: { ...first.data, classes: ["a", "b", "a"] } })).rejects.toThrow(
      /different names, got one twice/,
    );
    await wrong({
      templates: ["a {}, or {}"],
      figures: [{ metric: "accuracy_matched" }, { metric: "validation_vqa_score" }],
    });
    expect(() => pickTasks(tasks, ["mnli", "cifar01"])).toThrow(/"cifar01" does not exist.*cifar10/s);
  });
});

describe("the paper's table", () => {
  it("has the averages that the paper prints, once QQP's misprint is read as it is meant", async () => {
    const published = await publishedColumns();
    const { columns, notes } = publishedTable(tasks, published);
    const table = resultTable(tasks, columns, { notes });
    expect(table.rows).toHaveLength(41 + 4);
    let checked = 0;
    for (const row of table.rows.filter(({ average }) => average))
      for (const [c, { key }] of table.columns.entries()) {
        const printed = published.averages[row.group]![key];
        if (printed === undefined) expect(row.values[c]).toBeUndefined();
        else {
          expect(Math.abs(row.values[c]! - printed)).toBeLessThan(0.0151); // rounding, as the paper's columns 7 and 8
          checked++;
        }
      }
    expect(checked).toBe(7 + 7 + 6 + 8);
    expect(notes.join()).toMatch(/QQP, FLAVA w\/o init.*98\.61, read as 88\.6/);
  });

  it("of other systems has means of accuracy and F1, and says where F1 is missing", async () => {
    const { columns, notes } = systemColumns(tasks, await publishedSystems());
    const flava = columns.find(({ key }) => key === "FLAVA")!;
    expect(flava.values.get("mrpc/mean")).toBeCloseTo((81.4 + 86.9) / 2, 10);
    expect(columns.find(({ key }) => key === "UniT")!.values.has("qqp/mean")).toBe(false);
    expect(notes).toEqual(["QQP, UniT: accuracy 90.60, no F1 is given."]);
  });
});

describe("a table of one's own", () => {
  const figures = (given: readonly Cell[]): ResultTable => resultTable(tasks, cellColumns(tasks, given).columns);
  const at = (table: ResultTable, title: string): number | undefined =>
    table.rows.find((row) => row.title === title)!.values[0];

  it("averages a group only where all of its rows are there, and counts a missing group as 0", () => {
    const nlp = tasks.filter((t) => t.group === "nlp");
    const cells = nlp.map(({ name, figures: [f] }) =>
      cell(name, Object.fromEntries((f!.of ?? [f!.metric]).map((m, i) => [m, 0.5 + 0.1 * i]))),
    );
    const whole = figures(cells);
    expect(at(whole, "MNLI")).toBeCloseTo(55, 10);
    expect(at(whole, "NLP average")).toBeCloseTo((3 * 55 + 5 * 50) / 8, 10);
    expect(at(whole, "Macro average")).toBeCloseTo((3 * 55 + 5 * 50) / 24, 10);
    const part = figures(cells.slice(1));
    expect(at(part, "NLP average")).toBeUndefined();
    expect(at(part, "Macro average")).toBeUndefined();
  });

  it("leaves figures out that are not defined, and names cells of unknown tasks", () => {
    const { columns, left } = cellColumns(tasks, [cell("mrpc", { accuracy: 0.7, f1: null }), cell("mine", {})]);
    expect(columns).toHaveLength(1);
    expect(columns[0]!.values.size).toBe(0);
    expect(left).toEqual(["mine (finetune) of mine"]);
  });

  it("says what cells do not have in common, and refuses per cent", () => {
    const of = (model: string, weights: string, test: string, dataset = "rte"): Cell => ({
      ...cell(dataset, { accuracy: 0.5 }, model),
      ...{ weights, protocol: { splits: { test } } },
    });
    const [a, b] = ["0123456789abcdef", "fedcba9876543210"];
    expect(cellNotes([of("m", a!, "x"), of("n", b!, "x"), of("n", "drawn from seed 0", "x", "sst2")])).toEqual([]);
    expect(cellNotes([of("m", a!, "x"), of("m", a!, "x"), of("n", a!, "y"), of("n", b!, "x", "sst2")])).toEqual([
      "Measured more than once, the last in the order of files counts: rte (finetune) of m.",
      "Cells of different weights stand in one column: n.",
      "Columns were measured on different test data: rte (finetune).",
    ]);
    expect(() => figures([cell("rte", { accuracy: 66 })])).toThrow(
      /rte \(finetune\) of mine: expected accuracy from -1 to 1, got 66/,
    );
  });

  it("reads back the cells it writes, and refuses other JSON", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flava-cells-"));
    const written = [cell("rte", { accuracy: 0.6 }), cell("rte", { accuracy: 0.5 }, "org/other model")];
    for (const one of written) await saveCell(folder, one);
    expect(await readCells([folder])).toEqual(expect.arrayContaining(written));
    writeFileSync(join(folder, "other.json"), "{}");
    await expect(readCells([folder])).rejects.toThrow(/other\.json: expected a result of flava eval/);
  });

  it("prints the best of a row in bold, as Markdown, CSV and HTML", () => {
    const rte = tasks.filter(({ name }) => name === "rte");
    const { columns } = cellColumns(rte, [cell("rte", { accuracy: 0.6 }), cell("rte", { accuracy: 0.5 }, "a,b|<c>")]);
    const table = resultTable(rte, columns);
    expect(markdownTable(table).split("\n")[2]).toBe("| RTE | accuracy | **60.00** | 50.00 |");
    expect(markdownTable(table)).toContain("a,b\\|<c>");
    expect(csvTable(table).split("\r\n").slice(0, 2)).toEqual([
      'task,metric,group,mine,"a,b|<c>"',
      "RTE,accuracy,nlp,60,50",
    ]);
    const page = htmlTable(table, { difference: ["mine", "a,b|<c>"] });
    expect(page).toContain("<b>60.00</b>");
    expect(page).toContain("a,b|&lt;c&gt;");
    expect(page).toContain(">10.0</text>");
    expect(() => htmlTable(table, { difference: ["mine", "yours"] })).toThrow(/column "yours" does not exist/);
  });
});

describe("columns of several seeds", () => {
  const pets = { ...cell("pets", { lp_acc1: 0 }), task: "linear_probe" };
  const dtd = { ...cell("dtd", { lp_acc1: 0 }), task: "linear_probe" };
  const scores = { 0: [0.5, 0.2], 1: [0.7, 0.3], 4: [0.9, 0.7] } as const;
  const cells = Object.entries(scores).flatMap(([seed, [a, b]]) => [
    { ...pets, seed: Number(seed), metrics: { lp_acc1: a } },
    { ...dtd, seed: Number(seed), metrics: { lp_acc1: b } },
  ]);
  const table = (given: readonly Cell[]): ResultTable => {
    const two = pickTasks(tasks, ["dtd", "pets"]);
    return resultTable(two, cellColumns(two, given).columns);
  };

  it("are one column: means, standard deviations, and averages taken for each seed", () => {
    const { columns, rows, notes } = table([...cells, { ...pets, model: "other", metrics: { lp_acc1: 0.6 } }]);
    expect(columns.map(({ key }) => key)).toEqual(["mine", "other"]);
    const of = (title: string) => rows.find((row) => row.title === title)!;
    expect(of("Pets").values).toBeAllclose([70, 60], { rtol: 1e-12 });
    expect(of("Pets").spreads).toEqual([expect.closeTo(20, 10), undefined]);
    const averages = [35, 50, 80];
    const mean = 55;
    expect(of("Vision average").values).toEqual([expect.closeTo(mean, 10), undefined]);
    expect(of("Vision average").spreads![0]).toBeCloseTo(
      Math.sqrt(averages.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2),
      10,
    );
    expect(notes[0]).toBe("Mean ± standard deviation over seeds: mine 3, other 1.");
  });

  it("are printed with ±, in CSV in a column of their own, and what a seed lacks is said", () => {
    const some = table(cells.slice(0, 5));
    expect(markdownTable(some)).toMatch(/\| Pets \| accuracy \| 70\.00 ± 20\.00 \|/);
    const lines = csvTable(some).split("\r\n");
    expect(lines[0]).toBe("task,metric,group,mine,mine ±");
    expect(lines.find((line) => line.startsWith("Pets"))).toBe("Pets,accuracy,vision,70,20");
    expect(htmlTable(some)).toContain("70.00 ± 20.00");
    expect(some.notes.join("\n")).toMatch(/mine: not all of its 3 seeds in DTD/);
  });

  it("share what was measured once, without a spread; a cell without a seed beside others of its figure is named", () => {
    const bare = { ...pets, seed: undefined, metrics: { lp_acc1: 0.5 } };
    const two = pickTasks(tasks, ["dtd", "pets"]);
    const dtdOnly = cells.filter(({ dataset }) => dataset === "dtd");
    const { columns, doubled } = cellColumns(two, [...dtdOnly, bare]);
    expect(doubled).toEqual([]);
    const { rows, notes } = resultTable(two, columns);
    const petsRow = rows.find(({ title }) => title === "Pets")!;
    expect([petsRow.values, petsRow.spreads]).toEqual([[50], [undefined]]);
    expect(rows.find(({ title }) => title === "Vision average")!.spreads![0]).toBeGreaterThan(0);
    expect(notes).toEqual(["Mean ± standard deviation over seeds: mine 3."]);
    const both = cellColumns(two, [...cells, bare]);
    expect(both.doubled).toEqual(["pets/accuracy of mine"]);
    expect(resultTable(two, both.columns).rows.find(({ title }) => title === "Pets")!.values[0]).toBeCloseTo(70, 10);
  });

  it("of one seed have intervals beside them where those are wanted, and re-ranked recalls have a column of their own", () => {
    const flickr = pickTasks(tasks, ["flickr30k"]);
    const name = "text_retrieval_recall@1";
    const found = cellColumns(flickr, [
      {
        ...cell("flickr30k", { [name]: 0.5, [`reranked_${name}`]: 0.6 }),
        task: "zeroshot_retrieval",
        interval: { [name]: { low: 0.4, high: 0.55 }, [`reranked_${name}`]: { low: 0.5, high: 0.7 } },
      },
    ]);
    const printed = resultTable(flickr, found.columns);
    expect(printed.columns.map(({ key }) => key)).toEqual(["mine", "mine, re-ranked"]);
    expect(markdownTable(printed, { intervals: true })).toContain(
      "| 50.00 [40.00, 55.00] | **60.00** [50.00, 70.00] |",
    );
    expect(markdownTable(printed)).toContain("| 50.00 | **60.00** |");
    expect(csvTable(printed, { intervals: true })).toContain("mine low,mine high");
  });
});
