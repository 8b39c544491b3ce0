import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  accuracy,
  answerScores,
  argmaxRows,
  at,
  auroc,
  bootstrap,
  bootstrapAll,
  f1,
  matthews,
  meanPerClass,
  normalizeAnswer,
  pearson,
  spearman,
  topKAccuracy,
  vqaScore,
} from "./index.ts";

interface Case {
  readonly targets: number[];
  readonly predictions: number[];
  readonly scores: number[];
  readonly [metric: string]: number | number[];
}

const golden: Case[] = JSON.parse(readFileSync(new URL("../../../test/golden/metrics.json", import.meta.url), "utf8"));

const METRICS: Readonly<Record<string, (c: Case) => number>> = {
  accuracy: ({ predictions, targets }) => accuracy(predictions, targets),
  matthews: ({ predictions, targets }) => matthews(predictions, targets),
  meanPerClass: ({ predictions, targets }) => meanPerClass(predictions, targets),
  f1: ({ predictions, targets }) => f1(predictions, targets),
  pearson: ({ scores, targets }) => pearson(scores, targets),
  spearman: ({ scores, targets }) => spearman(scores, targets),
  auroc: ({ scores, targets }) => auroc(scores, targets),
};

describe("metrics", () => {
  it.each(Object.keys(METRICS))("%s is scikit-learn's or SciPy's", (name) => {
    const cases = golden.filter((c) => c[name] !== undefined);
    expect(cases.length).toBeGreaterThan(1);
    for (const c of cases) expect(METRICS[name]!(c)).toBeCloseTo(c[name] as number, 12);
  });

  it.each(Object.keys(METRICS))("%s does not depend on the order of the samples", (name) => {
    for (const c of golden.filter((one) => one[name] !== undefined)) {
      const turned = { ...c };
      for (const key of ["targets", "predictions", "scores"] as const) turned[key] = c[key].toReversed();
      expect(METRICS[name]!(turned)).toBeCloseTo(METRICS[name]!(c), 12);
    }
  });

  it("has a value where predictions are constant", () => {
    const [constant, targets] = [
      [1, 1, 1, 1],
      [0, 1, 1, 0],
    ];
    expect(matthews(constant!, targets!)).toBe(0);
    expect(pearson(constant!, targets!)).toBe(0);
    expect(spearman(targets!, constant!)).toBe(0);
    expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBe(0);
    for (const scale of [1e-200, 1e200, 1.7e308]) // whose squares are no numbers
      expect(
        pearson(
          [1, 2, -1].map((x) => (x / 2) * scale),
          [1, 2, -1],
        ),
      ).toBeCloseTo(1, 14);
    expect(auroc(constant!, targets!)).toBe(0.5);
    expect(meanPerClass(constant!, targets!)).toBe(0.5);
    expect(f1([0, 0], [0, 0])).toBe(0);
  });

  it("refuses no samples, lengths that differ, labels out of range, scores that are no numbers and AUROC of one class", () => {
    for (const metric of [accuracy, meanPerClass, f1, matthews, auroc, pearson, spearman]) {
      expect(() => metric([], [])).toThrow(/expected samples, got none/);
      expect(() => metric([1], [1, 0])).toThrow(/expected 2 values, got 1/);
    }
    expect(() => f1([1], [2])).toThrow(/labels in 0\.\.1, got 2 in row 0/);
    expect(() => auroc([1, Number.NaN], [0, 1])).toThrow(/finite numbers, got NaN in row 1/);
    expect(() => auroc([1, 2], [1, 1])).toThrow(/both classes, got 2 of class 1 and 0 of class 0/);
    expect(() => topKAccuracy([1, 2], [2], 2, 1)).toThrow(/labels in 0\.\.1, got 2/);
  });

  it("AUROC is the share of pairs in the right order, ties counting half", () => {
    const scored = fc.array(
      fc.record({ score: fc.integer({ min: 0, max: 5 }), target: fc.integer({ min: 0, max: 1 }) }),
    );
    fc.assert(
      fc.property(scored, (rows) => {
        const [yes, no] = [1, 0].map((t) => rows.filter((r) => r.target === t));
        fc.pre(yes!.length > 0 && no!.length > 0);
        let wins = 0;
        for (const a of yes!) for (const b of no!) wins += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
        const area = auroc(
          rows.map((r) => r.score),
          rows.map((r) => r.target),
        );
        expect(area).toBeCloseTo(wins / (yes!.length * no!.length), 12);
      }),
    );
  });

  it("top k counts ties and scores that are no numbers against the target", () => {
    const scores = [3, 1, 2, 1, 1, 1, Number.NaN, 0, 1];
    expect(topKAccuracy(scores, [2, 0, 2], 3, 1)).toBe(0);
    expect(topKAccuracy(scores, [2, 0, 2], 3, 2)).toBeCloseTo(2 / 3, 12);
    expect(topKAccuracy(scores, [2, 0, 0], 3, 3)).toBeCloseTo(2 / 3, 12);
    expect([...argmaxRows(scores, 3)]).toEqual([0, 0, 0]);
  });
});

describe("bootstrap", () => {
  it("is as wide as the normal approximation of a share", () => {
    const right = Array.from({ length: 400 }, (_, i) => Number(i % 4 === 0));
    const found = bootstrap(400, (places) => at(right, places).reduce((s, v) => s + v, 0) / 400);
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
    expect(found.low).toBeCloseTo(0.25 - half, 1.5);
    expect(found.high).toBeCloseTo(0.25 + half, 1.5);
    expect(found.undefined).toBe(0);
  });

  it("of several figures, and in groups, draws for all of them alike", () => {
    const values = Float64Array.from({ length: 9 }, (_, i) => i * i);
    const [mean, most] = [
      (places: Int32Array) => at(values, places).reduce((sum, value) => sum + value, 0) / places.length,
      (places: Int32Array) => Math.max(...at(values, places)),
    ];
    const both = bootstrapAll(9, { mean, most }, { seed: 4, resamples: 50 });
    expect(both).toEqual({
      mean: bootstrap(9, mean, { seed: 4, resamples: 50 }),
      most: bootstrap(9, most, { seed: 4, resamples: 50 }),
    });
    bootstrapAll(
      9,
      {
        within: (places) => {
          expect(places.subarray(0, 4).every((place) => place < 4)).toBe(true);
          expect(places.subarray(4).every((place) => place >= 4 && place < 9)).toBe(true);
          return 0;
        },
      },
      { strata: [4, 5], resamples: 20 },
    );
  });

  it("counts resamples on which the figure is not defined", () => {
    const figure = (places: Int32Array): number => auroc(at([1, 2], places), at([0, 1], places));
    const { low, high, undefined: left } = bootstrap(2, figure, { resamples: 200 });
    expect([low, high]).toEqual([1, 1]);
    expect(left).toBeGreaterThan(60);
    expect(left).toBeLessThan(140);
  });
});

describe("the score of visual questions", () => {
  it("is 0.3, 0.6, 0.9, 1 for one to four of ten votes", () => {
    expect([0, 1, 2, 3, 4, 10].map((votes) => Math.round(vqaScore(votes) * 1000) / 1000)).toEqual([
      0, 0.3, 0.6, 0.9, 1, 1,
    ]);
  });

  it("is the mean over leaving one annotator out", () => {
    for (let votes = 0; votes <= 10; votes++) {
      const people = Array.from({ length: 10 }, (_, i) => i < votes);
      const naive = people.map((_, left) => Math.min(1, people.filter((said, i) => said && i !== left).length / 3));
      expect(vqaScore(votes)).toBeCloseTo(naive.reduce((s, v) => s + v, 0) / 10, 12);
    }
  });

  it("compares answers without case, articles and punctuation, and with digits", () => {
    expect(normalizeAnswer("The Two  Dogs, running!")).toBe("2 dogs running");
    expect(normalizeAnswer("1,000.5")).toBe("1000.5");
    expect(normalizeAnswer("it's 3 p.m.")).toBe("it's 3 p m");
    expect(Object.fromEntries(answerScores(["a cat", "Cat", "cat.", "dog", ...Array(6).fill("no")]))).toEqual({
      cat: expect.closeTo(0.9, 12),
      dog: expect.closeTo(0.3, 12),
      no: 1,
    });
  });
});
