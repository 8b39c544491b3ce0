import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { dataRoot, pictures, read } from "../../../test/support/task-data.ts";
import type { SplitName } from "../schema.ts";

/** Texts and label of each sample. */
const rows = async (task: string, root: string, split: SplitName): Promise<unknown[]> =>
  (await read(task, root, split)).samples.map(({ texts, label }) => [...(texts ?? []), label]);

const parquet = (columns: Readonly<Record<string, readonly (string | number)[]>>): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({ columnData: Object.entries(columns).map(([name, data]) => ({ name, data: [...data] })) }),
  );

describe("GLUE's tables", () => {
  it("CoLA without a header, SST-2, MRPC and STS-B with one; quotation marks mean nothing", async () => {
    const cola = await dataRoot("cola", {
      "train.tsv": 'gj04\t1\t\tHe said "no.\ngj04\t0\t*\tSaid he no.\n',
      "dev.tsv": "x\t1\t\tYes.\n",
    });
    expect(await rows("cola", cola, "train")).toEqual([
      ['He said "no.', "acceptable"],
      ["Said he no.", "unacceptable"],
    ]);
    const sst2 = await dataRoot("sst2", { "dev.tsv": "sentence\tlabel\nit 's fun \t1\n" });
    expect(await rows("sst2", sst2, "test")).toEqual([["it 's fun", "positive"]]);
    const mrpc = await dataRoot("mrpc", {
      "dev.tsv": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tone\ttwo\n0\t1\t2\n",
    });
    expect(await rows("mrpc", mrpc, "test")).toEqual([["one", "two", "not equivalent"]]);
    expect((await read("mrpc", mrpc, "test")).refused).toEqual(["dev.tsv:3: expected 5 cells, got 3"]);
    const head = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
    const stsb = await dataRoot("stsb", { "dev.tsv": `${head}\n0\ta\tb\t2\t1\tn\tn\tone\ttwo\t3.800\n` });
    expect(await rows("stsb", stsb, "test")).toEqual([["one", "two", 3.8]]);
  });

  it("MNLI's two development sets are one test, QNLI and QQP have their own columns", async () => {
    const line = (label: string): string => `sentence1\tsentence2\tlabel1\tgold_label\na\tb\t-\t${label}\n`;
    const mnli = await dataRoot("mnli", {
      "dev_matched.tsv": line("neutral"),
      "dev_mismatched.tsv": line("contradiction"),
    });
    expect(await rows("mnli", mnli, "test")).toEqual([
      ["a", "b", "neutral"],
      ["a", "b", "contradiction"],
    ]);
    const qnli = await dataRoot("qnli", {
      "dev.tsv": "index\tquestion\tsentence\tlabel\n0\twhy?\tso\tnot_entailment\n",
    });
    expect(await rows("qnli", qnli, "test")).toEqual([["why?", "so", "not_entailment"]]);
    const qqp = await dataRoot("qqp", {
      "dev.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta?\tb?\t1\n",
    });
    expect(await rows("qqp", qqp, "test")).toEqual([["a?", "b?", "duplicate"]]);
  });

  it("refuse a table without the columns, and labels that the task does not have", async () => {
    const bare = await dataRoot("rte", { "dev.tsv": "index\tsentence1\tlabel\n0\ta\tentailment\n" });
    await expect(read("rte", bare, "test")).rejects.toThrow(
      /task rte: .*dev\.tsv: expected columns for sentence2, got index, sentence1, label/,
    );
    const wrong = await dataRoot("rte", { "dev.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tneutral\n" });
    await expect(read("rte", wrong, "test")).rejects.toThrow(
      /task rte: .*dev\.tsv:2: expected a label of entailment, not_entailment, got neutral/,
    );
    const far = await dataRoot("stsb", { "dev.tsv": "sentence1\tsentence2\tscore\na\tb\t5.5\n" });
    await expect(read("stsb", far, "test")).rejects.toThrow(/task stsb: .*expected a label from 0 to 5, got 5\.5/);
  });

  it("the Hub's parquet, with the names that it has for columns and splits", async () => {
    const mnli = await dataRoot("mnli", {
      "train-00000-of-00001.parquet": parquet({
        premise: ["a", "c"],
        hypothesis: ["b", "d"],
        label: [0, 2],
        idx: [0, 1],
      }),
      "validation_matched-00000-of-00001.parquet": parquet({ premise: ["e"], hypothesis: ["f"], label: [1], idx: [0] }),
      "validation_mismatched-00000-of-00001.parquet": parquet({
        premise: ["g"],
        hypothesis: ["h"],
        label: [-1],
        idx: [0],
      }),
    });
    expect(await rows("mnli", mnli, "train")).toEqual([
      ["a", "b", "entailment"],
      ["c", "d", "contradiction"],
    ]);
    expect(await rows("mnli", mnli, "test")).toEqual([
      ["e", "f", "neutral"],
      ["g", "h", undefined],
    ]);
    const sst2 = await dataRoot("sst2", {
      "data/validation-00000-of-00001.parquet": parquet({ sentence: ["x"], label: [1] }),
    });
    expect(await rows("sst2", sst2, "test")).toEqual([["x", "positive"]]);
  });
});

describe("texts about pictures", () => {
  it("SNLI-VE and Hateful Memes, a sample a line", async () => {
    const line = JSON.stringify({
      Flickr30K_ID: "12",
      sentence1: "p",
      sentence2: "a dog",
      gold_label: "neutral",
      pairID: "1",
    });
    const ve = await dataRoot("snli-ve", {
      "snli_ve_train.jsonl": `${line}\n`,
      "snli_ve_dev.jsonl": `${line}\n`,
      "snli_ve_test.jsonl": `${line}\nno JSON\n`,
      ...pictures("flickr30k_images/12.jpg"),
    });
    const test = await read("snli-ve", ve, "test");
    expect(test.samples.map(({ texts, label, image }) => [texts, label, image!.length > 0])).toEqual([
      [["a dog"], "neutral", true],
    ]);
    expect(test.refused).toEqual(["snli_ve_test.jsonl:2: the line has not the keys of this layout"]);
    const meme = (label: object): string => `${JSON.stringify({ id: 1, img: "img/01.png", text: "hi", ...label })}\n`;
    const memes = await dataRoot("hateful-memes", {
      "train.jsonl": meme({ label: 1 }),
      "dev_unseen.jsonl": meme({ label: 0 }),
      "test_unseen.jsonl": meme({}),
      ...pictures("img/01.png"),
    });
    expect(await rows("hateful-memes", memes, "train")).toEqual([["hi", "hateful"]]);
    expect(await rows("hateful-memes", memes, "test")).toEqual([["hi", undefined]]);
  });

  it("VQAv2's questions with their answers; those of a test have none", async () => {
    const questions = (id: number): string =>
      JSON.stringify({ questions: [{ image_id: 42, question: "What?", question_id: id }] });
    const answers = JSON.stringify({
      annotations: [{ question_id: 1, answers: [{ answer: "yes" }, { answer: "no" }] }],
    });
    const root = await dataRoot("vqav2", {
      "v2_OpenEnded_mscoco_train2014_questions.json": questions(1),
      "v2_mscoco_train2014_annotations.json": answers,
      "v2_OpenEnded_mscoco_val2014_questions.json": questions(2),
      "v2_mscoco_val2014_annotations.json": answers,
      "v2_OpenEnded_mscoco_test-dev2015_questions.json": questions(3),
      ...pictures("train2014/COCO_train2014_000000000042.jpg", "test2015/COCO_test2015_000000000042.jpg"),
    });
    const train = await read("vqav2", root, "train");
    expect(train.samples.map(({ texts, meta }) => [texts, meta])).toEqual([[["What?"], { answers: "yes\nno" }]]);
    expect(train.refused).toEqual(["2: the question has no answers"]);
    expect((await read("vqav2", root, "test")).samples.map(({ meta }) => meta)).toEqual([undefined]);
  });
});
