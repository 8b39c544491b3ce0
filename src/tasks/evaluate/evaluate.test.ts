import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { COLOURS, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { tinyModelFolder } from "../../../test/support/tiny-model.ts";
import { FlavaModel, pipeline } from "../../api/index.ts";
import { openSource } from "../../data/index.ts";
import { ranks, scores } from "../../evaluators/index.ts";
import { lockFile } from "../../io/index.ts";
import { cellColumns, readCells } from "../results.ts";
import type { Task } from "../schema.ts";
import { resultTable } from "../table.ts";
import { imageTextMatching } from "./match.ts";
import { zeroShotRetrieval } from "./retrieve.ts";
import { type EvaluationRequest, evaluate } from "./run.ts";
import { zeroShotClassification } from "./zero-shot.ts";

const NAMES = Object.keys(COLOURS);

const colours: Task = {
  ...{ name: "colours", title: "Colours", order: 1, group: "vision", protocol: "linear" },
  data: {
    ...{ folder: "colours", layouts: ["class-folders"], classes: NAMES, classCount: 4, source: "this test" },
    splits: { train: ["train"], test: ["test"] },
  },
  templates: ["a {} picture", "{}"],
  figures: [{ metric: "accuracy", published: {} }],
};
const broken: Task = { ...colours, name: "broken", data: { ...colours.data, folder: "broken" } };

async function write(root: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

describe("evaluate", () => {
  let model: FlavaModel;
  let root: string;
  const request = (out: string, more: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
    models: [{ name: "tiny", path: "a/tiny" }],
    ...{ tasks: [colours], measures: ["linear_probe", "zeroshot_classification"], dataRoot: root, out },
    open: async () => model,
    ...more,
  });
  beforeAll(async () => {
    model = await FlavaModel.fromPretrained(await tinyModelFolder(), { batchSize: 4 });
    // The model of these tests is opened once.
    Object.assign(model, { dispose: () => undefined, [Symbol.asyncDispose]: async () => undefined });
    root = await temporaryFolder();
    for (const [name, colour] of Object.entries(COLOURS))
      for (let i = 0; i < 3; i++) {
        await write(root, `colours/train/${name}/${i}.ppm`, colourPicture(colour, i));
        await write(root, `colours/test/${name}/${i}.ppm`, colourPicture(colour, 9 + i));
        if (name !== "red") await write(root, `broken/train/${name}/${i}.ppm`, colourPicture(colour, i));
        await write(root, `broken/test/${name}/${i}.ppm`, colourPicture(colour, i));
      }
    await write(root, "colours/test/red/damaged.png", "no picture");
  });
  afterAll(() => FlavaModel.prototype.dispose.call(model));

  it("writes a cell for each task and way, with CLIP_benchmark's names, and leaves it as it is the next time", async () => {
    const out = await temporaryFolder();
    const events = await evaluate(request(out));
    expect(events.map(({ state, measure }) => `${measure} ${state}`)).toEqual([
      "linear_probe done",
      "zeroshot_classification done",
    ]);
    const cells = await readCells([out]);
    expect(cells.map(({ dataset, model, pretrained, task }) => [dataset, model, pretrained, task])).toEqual([
      ["colours", "tiny", "a/tiny", "linear_probe"],
      ["colours", "tiny", "a/tiny", "zeroshot_classification"],
    ]);
    expect(Object.keys(cells[0]!.metrics)).toEqual(
      expect.arrayContaining(["lp_acc1", "lp_acc5", "lp_mean_per_class_recall"]),
    );
    expect(cells[0]!.metrics.lp_acc1).toBe(1);
    expect(cells[0]).toMatchObject({
      refused: { count: 1, first: [{ key: "test/red/damaged.png" }] },
      layout: "class-folders",
    });
    expect((await evaluate(request(out))).map(({ state }) => state)).toEqual(["known", "known"]);
  });

  it("draws anew for each seed what is drawn, measures the rest once, and the table has mean and spread", async () => {
    const out = await temporaryFolder();
    const seeds = { seeds: [0, 7], baselines: true } as const;
    const events = await evaluate(request(out, seeds));
    expect(events.map(({ model, measure, seed }) => [model, measure, seed])).toEqual([
      ...[0, 7].flatMap((seed) =>
        ["tiny", "tiny, untrained", "raw pixels"].map((name) => [name, "linear_probe", seed]),
      ),
      ["tiny", "zeroshot_classification", undefined],
    ]);
    expect((await evaluate(request(out, seeds))).map(({ state }) => state)).toEqual(Array(7).fill("known"));
    const cells = await readCells([out]);
    const untrained = cells.filter(({ model }) => model === "tiny, untrained");
    expect(untrained.map(({ seed, protocol }) => [seed, protocol!.seed])).toEqual([
      [0, 0],
      [7, 7],
    ]);
    expect(new Set(untrained.map(({ weights }) => weights)).size).toBe(2);
    const table = resultTable([colours], cellColumns([colours], cells).columns);
    expect(table.columns.map(({ key }) => key)).toEqual(["raw pixels", "tiny", "tiny, untrained"]);
    expect(table.rows[0]!.spreads).toEqual([0, 0, expect.any(Number)]);
    const trained = { seeds: [0], models: [{ name: "tiny", path: "a/tiny", seed: 1 }] };
    await expect(evaluate(request(out, trained))).rejects.toThrow(/seeds of what is drawn or of the models' training/);
  });

  it("measures again with other weights, and passes over a cell that another process works on", async () => {
    const out = await temporaryFolder();
    const once = { measures: ["zeroshot_classification"] } as const;
    await evaluate(request(out, once));
    const [cell] = await readCells([out]);
    await writeFile(
      join(out, "colours_tiny_zeroshot_classification.json"),
      JSON.stringify({ ...cell, weights: "others" }),
    );
    await using _lock = await lockFile(join(out, "colours_tiny_zeroshot_classification.json.lock"));
    expect((await evaluate(request(out, once))).map(({ state }) => state)).toEqual(["busy"]);
    await _lock[Symbol.asyncDispose]();
    expect((await evaluate(request(out, once))).map(({ state }) => state)).toEqual(["done"]);
  });

  it("measures again what a seed, a prompt or the data have changed, and says which", async () => {
    const out = await temporaryFolder();
    const asked = async (more: Partial<EvaluationRequest>) => {
      const events = await evaluate(request(out, { measures: ["zeroshot_classification"], ...more }));
      return events.map((event) => (event.state === "done" ? (event.changed ?? "new") : event.state));
    };
    expect(await asked({})).toEqual(["new"]);
    expect(await asked({ tasks: [{ ...colours, title: "Other title" }] })).toEqual(["known"]);
    expect(await asked({ seed: 3 })).toEqual([["seed: was 0, now 3"]]);
    const others = { ...colours, templates: ["a {}"] };
    expect(await asked({ seed: 3, tasks: [others] })).toEqual([
      [expect.stringMatching(/^templates: was .*, now \["a {}"\]/)],
    ]);
    expect(await asked({ seed: 3, tasks: [others] })).toEqual(["known"]);
    await write(root, "colours/test/red/more.ppm", colourPicture(COLOURS.red!, 40));
    expect(await asked({ seed: 3, tasks: [others] })).toEqual([[expect.stringMatching(/^splits.test: was/)]]);
    await rm(join(root, "colours/test/red/more.ppm"));
    const untrained = { ...colours, data: { ...colours.data, splits: { train: ["gone"], test: ["test"] } } };
    expect(await asked({ tasks: [untrained] })).toEqual([expect.arrayContaining(["seed: was 3, now 0"])]);
  });

  it("names the task and the split whose features are no numbers", async () => {
    const out = await temporaryFolder();
    const [encodeImage, embedImages] = [model.encodeImage.bind(model), model.embedImages.bind(model)];
    vi.spyOn(model, "encodeImage").mockImplementation(async (...given) => {
      const found = await encodeImage(...given);
      for (const { data } of Object.values(found)) (data as Float32Array).fill(Number.NaN);
      return found;
    });
    vi.spyOn(model, "embedImages").mockImplementation(async function* (...given) {
      for await (const one of embedImages(...given))
        yield { ...one, embeds: one.embeds?.fill(Number.NaN) } as typeof one;
    });
    const events = await evaluate(request(out));
    vi.restoreAllMocks();
    expect(events.map((event) => event.state === "failed" && event.error.message)).toEqual([
      expect.stringMatching(
        /task colours: .*colours: .*features of the train split: .*finite numbers, got NaN in row 0/,
      ),
      expect.stringMatching(/task colours: .*colours: .*cosines: expected finite numbers, got NaN in row 0/),
    ]);
  });

  it("names the classes without a training sample, and goes on with the other tasks", async () => {
    const out = await temporaryFolder();
    const [failed, done] = await evaluate(request(out, { tasks: [broken, colours], measures: ["linear_probe"] }));
    expect(failed).toMatchObject({ state: "failed", task: "broken" });
    expect(failed!.state === "failed" && failed!.error.message).toMatch(
      /task broken: .*broken: expected training samples .*got none for red/,
    );
    expect(done!.state).toBe("done");
    const tuned: Task = {
      ...{ ...broken, protocol: "finetune-image" },
      data: { ...broken.data, splits: { train: ["train"], validation: ["train"], test: ["test"] } },
    };
    const [untaught] = await evaluate(request(out, { tasks: [tuned], measures: ["finetune"] }));
    expect(untaught!.state === "failed" && untaught!.error.message).toMatch(/task broken: .*got none for red/);
  });

  it("measures pixels and the untrained encoder beside a model, and the table has a column for each", async () => {
    const out = await temporaryFolder();
    await evaluate(request(out, { measures: ["linear_probe"], baselines: true }));
    const { columns } = cellColumns([colours], await readCells([out]));
    expect(columns.map(({ key }) => key).sort()).toEqual(["raw pixels", "tiny", "tiny, untrained"]);
    const pixels = columns.find(({ key }) => key === "raw pixels")!;
    expect(pixels.values.get("colours/accuracy")).toBe(100);
    const again = await evaluate(request(out, { measures: ["linear_probe"], baselines: true }));
    expect(again.map(({ state }) => state)).toEqual(["known", "known", "known"]);
  });

  it("refuses data that are missing before any work", async () => {
    const missing: Task = { ...colours, name: "gone", data: { ...colours.data, folder: "gone" } };
    const out = await temporaryFolder();
    await expect(evaluate(request(out, { tasks: [colours, missing] }))).rejects.toThrow(
      /task gone: expected its data in .*gone, found none\n.*get it from this test/,
    );
    const nowhere = { tasks: [missing], dataRoot: join(root, "nowhere") };
    await expect(evaluate(request(out, nowhere))).rejects.toThrow(/task gone: .*found no folder .*nowhere/);
  });

  it("zero-shot classification says what the pipeline says", async () => {
    const source = await openSource(`folder:${root}/colours/test`);
    const prompts = { classes: NAMES, words: NAMES, templates: colours.templates! };
    const { metrics, samples, refused } = await zeroShotClassification(model, source, prompts);
    const ask = await pipeline("zero-shot-image-classification", model);
    let right = 0;
    for (const name of NAMES)
      for (let i = 0; i < 3; i++) {
        const said = await ask(join(root, "colours", "test", name, `${i}.ppm`), NAMES, {
          hypothesis_template: colours.templates!,
        });
        if (said[0]!.label === name) right++;
      }
    expect([samples, refused.length]).toEqual([12, 1]);
    expect(metrics.acc1).toBeCloseTo(right / 12, 10);
    expect(metrics.acc5).toBe(1);
  });

  it("matching asks for each picture about its own caption and about one of the same subgroup", async () => {
    const pairs = NAMES.map((name, i) => ({
      key: name,
      image: colourPicture(COLOURS[name]!),
      texts: [`a ${name} picture`, name],
      meta: { concept: name, style: "flat", subgroup: i < 2 ? "first" : "second" },
    }));
    const source = {
      name: "pairs",
      async *samples() {
        for (const sample of pairs) yield { sample, cursor: sample.key };
        yield { sample: { key: "bare", image: pairs[0]!.image }, cursor: "bare" };
      },
    };
    const { metrics, samples, refused } = await imageTextMatching(model, [source]);
    expect(refused).toEqual([{ key: "bare", reason: "the caption is missing" }]);
    const partner = (i: number): number => i ^ 1;
    const pictures = pairs.map(({ image }) => image);
    const own = await model.match(
      pictures,
      pairs.map(({ texts }) => texts[0]!),
    );
    const wrong = await model.match(
      pictures,
      pairs.map((_, i) => pairs[partner(i)]!.texts[0]!),
    );
    const right = own.filter((p) => p > 0.5).length + wrong.filter((p) => p <= 0.5).length;
    expect([samples, metrics.itm_accuracy]).toEqual([4, right / 8]);
    expect(metrics.itm_choice).toBeCloseTo(own.filter((p, i) => p > wrong[i]!).length / 4, 10);
    const { image_embeds } = await model.encodeImage(pictures);
    const { text_embeds } = await model.encodeText(pairs.map(({ texts }) => texts[0]!));
    const table = scores(image_embeds, text_embeds);
    const nearer = [0, 1, 2, 3].filter((i) => table[i * 4 + i]! > table[i * 4 + partner(i)]!);
    expect(metrics.itc_choice).toBeCloseTo(nearer.length / 4, 10);
  });

  it("retrieval counts all captions of a picture, as a naive computation does", async () => {
    const folder = await temporaryFolder();
    const images = NAMES.map((name, i) => ({
      ...{ filename: `${name}.ppm`, split: "test", imgid: i },
      sentences: [{ raw: `a ${name} picture` }, { raw: `${name} and nothing else` }],
    }));
    await write(folder, "dataset.json", JSON.stringify({ images }));
    for (const [name, colour] of Object.entries(COLOURS)) await write(folder, `${name}.ppm`, colourPicture(colour));
    const { metrics, captions, intervals, reranked } = await zeroShotRetrieval(
      model,
      [await openSource(`json:${folder}/dataset.json#test`)],
      { rerank: 8 },
    );
    const texts = images.flatMap(({ sentences }) => sentences.map(({ raw }) => raw));
    const { image_embeds } = await model.encodeImage(NAMES.map((name) => join(folder, `${name}.ppm`)));
    const { text_embeds } = await model.encodeText(texts);
    const at1 = (found: Int32Array): number => found.filter((rank) => rank < 1).length / found.length;
    const toText = ranks(scores(image_embeds, text_embeds), 8, (q, c) => q === c >> 1);
    const toImage = ranks(scores(text_embeds, image_embeds), 4, (q, c) => q >> 1 === c);
    expect(captions).toBe(8);
    expect(metrics["text_retrieval_recall@1"]).toBeCloseTo(at1(toText), 10);
    expect(metrics["image_retrieval_recall@1"]).toBeCloseTo(at1(toImage), 10);
    expect(metrics["text_retrieval_recall@10"]).toBe(1);
    expect(intervals["image_retrieval_recall@1"]!.low).toBeLessThanOrEqual(metrics["image_retrieval_recall@1"]!);
    const judged: number[] = [];
    for (const name of NAMES) judged.push(...(await model.match(join(folder, `${name}.ppm`), texts)));
    const byHead = ranks(Float32Array.from(judged), 8, (q, c) => q === c >> 1);
    expect(reranked).toMatchObject({ k: 8, pairs: 32 });
    expect(metrics["reranked_text_retrieval_recall@1"]).toBeCloseTo(at1(byHead), 10);
  });
});
