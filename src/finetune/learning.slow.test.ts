/** Fine-tunings of the other kinds. Slow: each compiles a step of its own and trains until it has learned, two seconds a piece. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../test/support/colour-pictures.ts";
import { asked, needs, pictures, request, texts, tunableModel } from "../../test/support/tuning.ts";
import { type FlavaModel, pipeline } from "../api/index.ts";
import { sourceOf } from "../data/index.ts";
import type { DataRequest } from "./data.ts";
import type { TuningOptions, TuningResult } from "./request.ts";
import { finetune } from "./run.ts";
import type { GivenSettings } from "./settings.ts";

let model: FlavaModel;
beforeAll(async () => {
  model = await tunableModel();
});
afterAll(() => model.dispose());

const tuned = async (
  data: DataRequest,
  given: GivenSettings = {},
  options: TuningOptions = {},
): Promise<TuningResult> => finetune(await request(model, data, given), options);

describe("a fine-tuning", () => {
  it("learns numbers, and gives them in the unit of the labels", async () => {
    const samples = texts().map((sample, i) => ({
      ...sample,
      label: (sample.label === "animal" ? 40 : 10) + (i % 7) / 4,
    }));
    const result = await tuned(asked(samples));
    expect(result.figures.pearson).toBeGreaterThan(0.9);
    await using ask = await pipeline("text-classification", result.out);
    const [{ label, score }] = (await ask("a cat")) as [{ label: string; score: number }];
    expect(label).toBe("label");
    expect(score).toBeGreaterThan(25);
  });

  it("learns classes of pictures", async () => {
    const data = asked(pictures([0, 1, 2, 3, 4]), { needs: needs("image") });
    const result = await tuned(data, { steps: 30, crop: 1, flip: 0 });
    expect(result.figures.accuracy).toBe(1);
    await using ask = await pipeline("image-classification", result.out);
    const [best] = await ask(colourPicture(COLOURS.red!, 9), { top_k: 1 });
    expect(best!.label).toBe("red");
  });

  it("learns from pictures with words what neither tells alone", async () => {
    const samples = pictures([0, 1, 2, 3, 4, 5])
      .filter(({ label }) => label === "red" || label === "blue")
      .flatMap(({ key, image, label }) =>
        ["cat", "ball"].map((word) => ({
          ...{ key: `${key} ${word}`, image: image!, texts: [`the ${word}`], label: `${label} ${word}` },
        })),
      );
    const validation = sourceOf("the same", samples);
    const result = await tuned(asked(samples, { needs: needs("pair"), validation }), { steps: 40, batchSize: 24 });
    expect(result.figures.accuracy).toBe(1);
    expect(result.figures.loss).toBeLessThan(0.1 * Math.log(4));
    await using ask = await pipeline("image-text-classification", result.out);
    const [best] = await ask(colourPicture(COLOURS.red!, 9), "the ball");
    expect(best!.label).toBe("red ball");
  });

  it("says what to do where training diverges", async () => {
    await expect(tuned(asked(texts()), { lr: 1e30, steps: 6, warmupSteps: 0, evalEvery: 1 })).rejects.toThrow(
      /the training has diverged\n.*lower learning rate/,
    );
  });

  it("ends early without a better result, and keeps the best", async () => {
    const notes: string[] = [];
    const reporter = { note: (line: string) => void notes.push(line), begin: () => {}, end: () => {}, step: () => {} };
    const result = await tuned(asked(texts()), { lr: 1e-13, evalEvery: 3, patience: 2 }, { reporter });
    expect(notes.join("\n")).toMatch(/stopped early: 2 evaluations without a better accuracy/);
    expect([result.status, result.step]).toEqual(["done", 3]);
  });
});
