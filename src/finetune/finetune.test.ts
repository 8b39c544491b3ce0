/** Fine-tuning of the tiny model: what it learns, how it goes on after a stop, which data and settings are refused. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asked, request, texts, tunableModel } from "../../test/support/tuning.ts";
import { type FlavaModel, pipeline } from "../api/index.ts";
import { type Sample, type Source, sourceOf } from "../data/index.ts";
import { loadRunInfo } from "../record/index.ts";
import { type DataRequest, lengthFor, prepareData } from "./data.ts";
import { finetune } from "./run.ts";
import { settingsFor } from "./settings.ts";
import { chooseTarget, labelReader } from "./target.ts";

let model: FlavaModel;
beforeAll(async () => {
  model = await tunableModel();
});
afterAll(() => model.dispose());

describe("a fine-tuning", () => {
  it("learns classes of texts, and what it saves says of them what it said itself", async () => {
    const result = await finetune(await request(model, asked(texts()), {}));
    expect(result.figures.accuracy).toBe(1);
    await using ask = await pipeline("text-classification", result.out);
    const { keys, logits } = result.outputs.validation!;
    const own = texts();
    const again = await ask.model.taskLogits(
      keys.map((key) => ({ text: own.find((one) => one.key === key)!.texts![0]! })),
    );
    for (const [i, value] of again.data.entries()) expect(value).toBeCloseTo(logits[i]!, 4);
    expect((await ask("a dog")).map(({ label }) => label)).toEqual(["animal"]);
    expect((await ask(["the ball", "a cat"], { top_k: 2 })).map(([best]) => best!.label)).toEqual(["thing", "animal"]);
    const config = JSON.parse(await readFile(join(result.out, "config.json"), "utf8"));
    expect(config).toMatchObject({
      id2label: { 0: "animal", 1: "thing" },
      label2id: { animal: 0, thing: 1 },
      problem_type: "single_label_classification",
    });
    const { status, results, intervals } = await loadRunInfo(result.out);
    expect([status, results.validation_accuracy]).toEqual(["done", 1]);
    expect(intervals!.validation_accuracy).toEqual({ low: 1, high: 1 });
    expect(await readFile(join(result.out, "report.html"), "utf8")).toMatch(/Mistakes on validation.*named animal/s);
  });

  it("goes on after a stop to the same bits", async () => {
    const data = asked(texts());
    const given = { steps: 12, evalEvery: 5, saveEvery: 4, dropout: 0.1 };
    const whole = await request(model, data, given);
    await finetune(whole);
    const cut = await request(model, data, given);
    const stop = new AbortController();
    const reporter = {
      note: () => {},
      begin: () => {},
      end: () => {},
      step: (step: number) => step === 7 && stop.abort(),
    };
    expect((await finetune(cut, { reporter, signal: stop.signal })).status).toBe("stopped");
    await expect(finetune({ ...cut, resume: true, seed: 1 })).rejects.toThrow(/seed: was 0, now 1/);
    await expect(finetune(cut)).rejects.toThrow(/expected no run in this folder/);
    expect((await finetune({ ...cut, resume: true })).status).toBe("done");
    const weights = (folder: string): Promise<Buffer> => readFile(join(folder, "model.safetensors"));
    expect((await weights(cut.out)).equals(await weights(whole.out))).toBe(true);
    const notes: string[] = [];
    const told = { ...reporter, note: (line: string) => void notes.push(line) };
    const done = await finetune({ ...cut, resume: true, tests: { test: cut.data.train.source } }, { reporter: told });
    expect(notes.join()).toMatch(/trained before without test, which is not measured now/);
    const again = await finetune({ ...whole, resume: true });
    expect([done.figures, done.intervals.validation]).toEqual([again.figures, again.intervals.validation]);
    expect(Object.keys(done.intervals.validation!)).toContain("accuracy");
  });
});

describe("data", () => {
  const refused = (samples: readonly Sample[], more: Partial<DataRequest> = {}) => prepareData(asked(samples, more));

  it("counts what cannot be used, and says why", async () => {
    const notes: string[] = [];
    const samples: Sample[] = [...texts(), { key: "x", texts: ["a cat"] }, { key: "y", label: "animal" }];
    const { train, validation } = await prepareData(asked(samples, { note: (line) => notes.push(line) }));
    expect(train.count + validation.count).toBe(25);
    expect(notes).toEqual([
      "samples: 1 sample left out: the label is missing (x)",
      "samples: 1 sample left out: the text is missing (y)",
    ]);
  });

  it("holds out a share of each class, the same for a seed, samples of one text together", async () => {
    const samples = texts();
    const twice = [...samples, ...samples.map((sample) => ({ ...sample, key: `again ${sample.key}` }))];
    const keysOf = async (source: Source): Promise<string[]> => {
      const keys: string[] = [];
      for await (const { sample } of source.samples()) keys.push(sample.key);
      return keys;
    };
    const data = await prepareData(asked(twice));
    expect(data.classes).toEqual([
      { name: "animal", train: 16, validation: 4 },
      { name: "thing", train: 24, validation: 6 },
    ]);
    const held = await keysOf(data.validation.source);
    for (const key of held) expect(held).toContain(key.startsWith("again ") ? key.slice(6) : `again ${key}`);
    expect(await keysOf((await prepareData(asked(twice))).validation.source)).toEqual(held);
    expect(await keysOf((await prepareData(asked(twice, { seed: 1 }))).validation.source)).not.toEqual(held);
  });

  it("keeps a text that has several labels on one side too", async () => {
    const twice = texts().flatMap((sample) => [sample, { ...sample, key: `not ${sample.key}`, label: "odd" }]);
    const { validation, train } = await prepareData(asked(twice));
    expect([train.count, validation.count]).toEqual([40, 10]);
    const keys: string[] = [];
    for await (const { sample } of validation.source.samples()) keys.push(sample.key);
    for (const key of keys) expect(keys).toContain(key.startsWith("not ") ? key.slice(4) : `not ${key}`);
  });

  it("leaves out what stands where a number is missing, and says so", async () => {
    const notes: string[] = [];
    const samples = texts().map((sample, i) => ({
      ...sample,
      label: i === 3 ? "NaN" : i === 4 ? "n/a" : String(i % 2),
    }));
    const { problem, train, validation } = await prepareData(asked(samples, { note: (line) => notes.push(line) }));
    expect(problem.target).toMatchObject({ kind: "classes", names: ["0", "1"] });
    expect(train.count + validation.count).toBe(23);
    expect(notes).toEqual([
      `samples: 2 samples left out: the label "NaN" is no number (the first: ${samples[3]!.key})`,
    ]);
    const countries = texts().map((sample, i) => ({ ...sample, label: i % 2 ? "NA" : "US" }));
    expect((await prepareData(asked(countries))).problem.target).toMatchObject({ names: ["NA", "US"] });
  });

  it("takes 1.0 for the class 1 where both are labels, in validation too, and leaves versions as they are", async () => {
    const numbered = (...labels: string[]) =>
      texts().map((sample, i) => ({ ...sample, label: labels[i % labels.length]! }));
    const validation = sourceOf("held", [{ key: "z", texts: ["a cat"], label: "1.0" }]);
    const notes: string[] = [];
    const note = (line: string): void => void notes.push(line);
    const { problem, classes } = await prepareData(asked(numbered("0", "0.0", "1"), { validation, note }));
    expect(notes).toEqual(["labels such as 0.0, read as 0: 9"]);
    expect(problem.target).toMatchObject({ kind: "classes", names: ["0", "1"] });
    expect(classes[1]).toEqual({ name: "1", train: 8, validation: 1 });
    const versions = (await prepareData(asked(numbered("1.0", "1.1")))).problem.target;
    expect(versions).toMatchObject({ names: ["1.0", "1.1"] });
    expect(["1", "1.10", "2"].map(labelReader(versions))).toEqual(["1.0", "1.10", "2"]);
  });

  it("tells other words from the same number of them", async () => {
    const content = async (samples: readonly Sample[]) => (await prepareData(asked(samples))).train.content;
    const samples = texts();
    const other = samples.map((sample) => ({ ...sample, texts: [sample.texts![0]!.replace("cat", "cow")] }));
    expect(await content(samples)).toBe(await content(texts()));
    expect(await content(samples)).not.toBe(await content(other));
  });

  it("refuses labels that cannot be learned", async () => {
    const one = texts().map((sample) => ({ ...sample, label: "same" }));
    await expect(refused(one)).rejects.toThrow(/^samples: labels: expected two classes or more, got 1: same/);
    const each = texts().map((sample) => ({ ...sample, label: sample.key }));
    await expect(refused(each)).rejects.toThrow(/25 labels for 25 samples/);
    const validation = sourceOf("held", [{ key: "z", texts: ["a cat"], label: "anmial" }]);
    await expect(refused(texts(), { validation })).rejects.toThrow(
      /held: expected labels that training has too, got "anmial"/,
    );
    await expect(refused(texts(), { as: "number" })).rejects.toThrow(/expected numbers, got "animal"/);
    await expect(refused([{ key: "q", label: "a" }])).rejects.toThrow(/samples that can be used, got none/);
    const single = [...texts(), { key: "odd", texts: ["on"], label: "odd" }];
    const notes: string[] = [];
    await refused(single, { note: (line) => notes.push(line) });
    expect(notes).toEqual(["one class has a single training sample: odd"]);
  });

  it("takes labels for numbers only where they evidently are, and says why", () => {
    const as = (labels: readonly string[]) => chooseTarget(labels, { as: "auto", name: "x" });
    expect(as(["1", "5", "3", "1"])).toMatchObject({ target: { kind: "classes", names: ["1", "3", "5"] } });
    const fractions = Array.from({ length: 12 }, (_, i) => String(i / 2));
    expect(as(fractions)).toMatchObject({
      target: { kind: "number" },
      why: expect.stringMatching(/fractions such as 0.5/),
    });
    const prices = Array.from({ length: 200 }, (_, i) => String(i * 3));
    expect(as(prices)).toMatchObject({ target: { kind: "number" }, why: "labels are 200 different numbers" });
    expect(as(["10", "9", "9", "x"]).why).toBe('labels such as "x" are no numbers');
    const votes = chooseTarget(["yes\nYes!\nno", "yes\nno\nno"], { as: "answers", name: "x" });
    expect(votes.target).toEqual({ kind: "answers", names: ["no", "yes"] });
  });

  it("pads texts to what nearly all of them need", () => {
    expect(lengthFor([3, 4, 5, 9], 512)).toBe(12);
    expect(lengthFor([...new Array(200).fill(7), 400], 512)).toBe(8);
    expect(lengthFor([600], 512)).toBe(512);
  });
});

describe("settings", () => {
  const about = { samples: 100, width: 768, inputs: "text", textLength: 16, imageSize: 224 } as const;
  it("name what is wrong with them", () => {
    expect(() => settingsFor({ lr: -1 }, about)).toThrow(/lr/);
    expect(() => settingsFor({ warmupSteps: 30, steps: 20 }, about)).toThrow(
      /warmupSteps: expected at most steps 20, got 30/,
    );
    expect(() => settingsFor({ batchSize: 200 }, about)).toThrow(/the 100 training samples, got 200/);
    expect(() => settingsFor({ textLength: 64 }, { ...about, longest: 32 })).toThrow(
      /textLength: expected at most the 32 tokens that the model takes, got 64/,
    );
    expect(settingsFor({ epochs: 2, batchSize: 10 }, about).steps).toBe(20);
  });
});
