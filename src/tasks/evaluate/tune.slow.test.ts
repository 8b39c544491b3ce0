/** Fine-tuning on tasks as `flava eval` does it. Slow: each task compiles and trains a step of its own, two seconds a piece. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { tinyModelFolder } from "../../../test/support/tiny-model.ts";
import { FlavaModel } from "../../api/index.ts";
import { paperTasks, pickTasks } from "../registry.ts";
import { cellColumns, readCells } from "../results.ts";
import type { Task } from "../schema.ts";
import { evaluate } from "./run.ts";

let root: string;
let model: FlavaModel;
const write = async (path: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
};
beforeAll(async () => {
  root = await temporaryFolder();
  model = await FlavaModel.fromPretrained(await tinyModelFolder());
  // The model of these tests is opened once.
  Object.assign(model, { dispose: () => undefined, [Symbol.asyncDispose]: async () => undefined });
});
afterAll(() => FlavaModel.prototype.dispose.call(model));

/** A task of the paper with a short training. */
async function task(name: string): Promise<Task> {
  const [found] = pickTasks(await paperTasks(), [name]);
  return { ...found!, settings: { ...found!.settings!, steps: 4, warmupSteps: 1 } };
}

const run = async (one: Task, out: string) =>
  evaluate({
    models: [{ name: "tiny", path: "tiny" }],
    tasks: [one],
    measures: ["finetune"],
    ...{ dataRoot: root, out },
    open: async () => model,
  });

const cell = async (out: string) => {
  const [found] = await readCells([out]);
  return found as unknown as Record<string, unknown> & { metrics: Record<string, number> };
};

describe("fine-tuning on a task", () => {
  it("measures both of MNLI's development sets, each once, and the table has their mean", async () => {
    const line = (i: number, label: string): string => `${i}\ta cat on the beach\tthe dog is a cat\t${label}`;
    const rows = (n: number): string =>
      [
        "index\tsentence1\tsentence2\tgold_label",
        ...Array.from({ length: n }, (_, i) => line(i, ["entailment", "neutral", "contradiction"][i % 3]!)),
      ].join("\n");
    await write("glue/MNLI/train.tsv", rows(12));
    await write("glue/MNLI/dev_matched.tsv", rows(6));
    await write("glue/MNLI/dev_mismatched.tsv", rows(3));
    const mnli = await task("mnli");
    const out = await temporaryFolder();
    expect((await run(mnli, out)).map(({ state }) => state)).toEqual(["done"]);
    const { metrics, ...about } = await cell(out);
    expect(metrics.accuracy_matched).toBeCloseTo(1 / 3, 5);
    expect(metrics.accuracy_mismatched).toBeCloseTo(1 / 3, 5);
    expect(about).toMatchObject({ chosen_by: "accuracy on dev_matched", samples: { train: 12, validation: 6 } });
    const { columns } = cellColumns([mnli], await readCells([out]));
    expect([...columns[0]!.values.values()][0]).toBeCloseTo(100 / 3, 3);
    expect(about.interval).toMatchObject({ accuracy_matched: { low: 0, high: expect.any(Number) } });
    expect((await run(mnli, out)).map(({ state }) => state)).toEqual(["known"]);
    const slower = { ...mnli, settings: { ...mnli.settings!, lr: 1e-6 } };
    expect(await run(slower, out)).toMatchObject([
      { state: "done", changed: ["settings.lr: was 0.00001, now 0.000001"] },
    ]);
  });

  it("holds out questions where the test has no answers, and writes what it says of them", async () => {
    const colours = Object.entries(COLOURS);
    const [questions, annotations]: [object[], object[]] = [[], []];
    for (const [i, [name, colour]] of colours.entries()) {
      for (const split of ["train2014", "val2014", "test2015"])
        await write(`vqav2/${split}/COCO_${split}_${String(i).padStart(12, "0")}.jpg`, colourPicture(colour));
      questions.push({ image_id: i, question: "is a cat in the photo", question_id: i });
      annotations.push({ question_id: i, answers: Array.from({ length: 10 }, () => ({ answer: name })) });
    }
    const save = (name: string, content: object): Promise<void> =>
      write(`vqav2/v2_${name}.json`, JSON.stringify(content));
    for (const [split, more] of [
      ["train2014", 0],
      ["val2014", 10],
    ] as const) {
      await save(`OpenEnded_mscoco_${split}_questions`, {
        questions: questions.map((one) => ({
          ...one,
          question_id: (one as { question_id: number }).question_id + more,
        })),
      });
      await save(`mscoco_${split}_annotations`, {
        annotations: annotations.map((one) => ({
          ...one,
          question_id: (one as { question_id: number }).question_id + more,
        })),
      });
    }
    await save("OpenEnded_mscoco_test-dev2015_questions", { questions });
    const vqa = await task("vqav2");
    const small: Task = { ...vqa, data: { ...vqa.data, imageSize: 40 } };
    const out = await temporaryFolder();
    const [event] = await run(small, out);
    expect(event).toMatchObject({ state: "done" });
    const { metrics, answers, chosen_by } = await cell(out);
    expect(Object.keys(metrics)).toEqual(["validation_vqa_score"]);
    expect(chosen_by).toMatch(/training samples held out/);
    const said = JSON.parse(await readFile(answers as string, "utf8"));
    expect(said.map(({ question_id }: { question_id: number }) => question_id)).toEqual([0, 1, 2, 3]);
    for (const { answer } of said) expect(Object.keys(COLOURS)).toContain(answer);
  });
});
