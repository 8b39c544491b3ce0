import { describe, expect, it } from "vitest";
import type { Sample, Source } from "../../data/index.ts";
import { openDevice } from "../../runtime/index.ts";
import { bagOf } from "../probe/bag-of-words.ts";
import { fitLogistic, fitSparse } from "../probe/logistic.ts";
import { wordsAlone } from "./words-alone.ts";

const source = (samples: readonly Omit<Sample, "key">[]): Source => ({
  name: "made",
  async *samples() {
    for (const [i, sample] of samples.entries()) yield { sample: { key: String(i), ...sample }, cursor: i };
  },
});

const said = (text: string, label: string) => ({ texts: [text], label });

describe("fitSparse", () => {
  it("finds the optimum that fitLogistic finds on the same rows, written out", async () => {
    const rows = Array.from({ length: 40 }, (_, n) =>
      Int32Array.from([0, 1, 2, 3, 4, 5].filter((d) => (n * 7 + d * d * 3) % (d + 3) < 2)),
    );
    const labels = rows.map((row, n) => (row.includes(1) ? 0 : n % 3 === 0 ? 3 : 1));
    const x = rows.flatMap((row) => Array.from({ length: 6 }, (_, d) => Number(row.includes(d))));
    const device = await openDevice("cpu");
    const dense = await fitLogistic(device, { x, width: 6, labels, classes: 4 }, { C: 2 });
    const sparse = await fitSparse({ rows, width: 6, labels, classes: 4 }, { C: 2 });
    expect(sparse.missing).toEqual([2]);
    expect(sparse.loss).toBeCloseTo(dense.loss, 8);
    expect(Array.from(sparse.coef)).toEqual(Array.from(dense.coef, (value) => expect.closeTo(value, 5)));
    expect(Array.from(sparse.intercept.filter(Number.isFinite))).toEqual(
      Array.from(dense.intercept.filter(Number.isFinite), (value) => expect.closeTo(value, 5)),
    );
  });
});

describe("fitSparse, stopped,", () => {
  it("ends within its first pass over the rows", async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => Int32Array.from([n % 50, 50 + (n % 7)]));
    const labels = rows.map((_, n) => n % 3);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("stopped")), 1);
    const { signal } = controller;
    await expect(fitSparse({ rows, width: 57, labels, classes: 3 }, { C: 1e4, signal })).rejects.toThrow("stopped");
  });
});

describe("bagOf", () => {
  it("has words and neighbours, whatever their case, and tells a second text from the first", () => {
    expect([...bagOf(["The cat, the Cat", "cat"])]).toEqual(["0:the", "0:cat", "0:the cat", "0:cat the", "1:cat"]);
  });
});

describe("wordsAlone", () => {
  const train = ["red", "blue"].flatMap((colour) =>
    Array.from({ length: 8 }, (_, i) => said(`a ${colour} thing ${i % 4}`, colour === "red" ? "warm" : "cold")),
  );

  it("learns from words what they tell, and says what the commonest answer is worth", async () => {
    const test = [
      said("something red", "warm"),
      said("that blue thing", "cold"),
      said("a blue one", "cold"),
      said("?", "new"),
    ];
    const found = await wordsAlone({ train: source([...train, said("a", "warm")]), test: source(test) });
    expect(found.metrics).toEqual({ accuracy: 0.75, mean_per_class_recall: 2 / 3, prior: 0.25, majority: 0.25 });
    expect(found.samples).toEqual({ train: 17, validation: 0, test: 4 });
  });

  it("chooses the regularisation on the validation samples", async () => {
    const found = await wordsAlone({ train: source(train), validation: source(train), test: source(train) });
    expect([found.C, found.metrics.accuracy]).toEqual([0.1, 1]);
  });

  it("scores people's answers as VQAv2 does; the prior is the best answer to the same question", async () => {
    const asked = (text: string, yes: number) => ({
      texts: [text],
      meta: { answers: [...Array(yes).fill("Yes."), ...Array(10 - yes).fill("no")].join("\n") },
    });
    const questions = source([asked("Is it red?", 10), asked("Is it red?", 9), asked("Is it blue?", 0)]);
    const test = source([asked("Is it red?", 2), asked("Is it blue?", 7), asked("Is it green?", 10)]);
    const { metrics } = await wordsAlone({ train: questions, test });
    expect(metrics.prior).toBeCloseTo((0.6 + 0.9 + 1) / 3, 10); // the third is new: the commonest of all, yes
    expect(metrics.majority).toBeCloseTo((0.6 + 1 + 1) / 3, 10);
    expect(metrics.vqa_score).toBeCloseTo(metrics.majority!, 10); // "blue" is in a single sample, so no word that is known
  });

  it("names what it cannot use, and refuses to learn from nothing", async () => {
    const { refused } = await wordsAlone({ train: source([...train, { texts: ["no label"] }]), test: source(train) });
    expect(refused).toEqual([{ key: "16", reason: "the label is missing" }]);
    await expect(wordsAlone({ train: source([{ label: "x" }]), test: source(train) })).rejects.toThrow(
      /made: expected texts with labels, got none\s+help: 0: the text is missing/,
    );
  });
});
