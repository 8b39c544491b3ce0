/** Figures of what a head says, their intervals, and the table of its mistakes. */
import { describe, expect, it } from "vitest";
import { bootstrap } from "../evaluators/index.ts";
import { random } from "../tensor/index.ts";
import { confusionSection } from "./confusion.ts";
import { figureIntervals, figures, type Outputs } from "./figures.ts";
import type { Problem, Target } from "./problem.ts";

const classes = (n: number): Target => ({ kind: "classes", names: Array.from({ length: n }, (_, i) => `class ${i}`) });
const problem = (target: Target): Problem => ({ inputs: "text", textPairs: false, target });

/** A head that is often right. */
function outputs(count: number, C: number): Outputs {
  const rng = random(3, "figures");
  const targets = Float64Array.from({ length: count }, () => rng.integer(C));
  const logits = Float32Array.from(
    { length: count * C },
    (_, i) => rng.normal() + 2 * Number(targets[Math.floor(i / C)] === i % C),
  );
  return { keys: Array.from({ length: count }, (_, i) => String(i)), logits, targets };
}

describe("figureIntervals", () => {
  it("has one around each figure, that of accuracy as computed by itself, the same for a seed", () => {
    const two = problem(classes(2));
    const given = outputs(60, 2);
    const found = figureIntervals(two, given, 4);
    const values = figures(two, given);
    expect(Object.keys(found)).toEqual(Object.keys(values));
    for (const [name, { low, high }] of Object.entries(found)) {
      expect(low, name).toBeLessThanOrEqual(values[name]!);
      expect(high, name).toBeGreaterThanOrEqual(values[name]!);
    }
    const right = (i: number): number =>
      Number(given.logits[2 * i]! >= given.logits[2 * i + 1]! === (given.targets[i] === 0));
    const alone = bootstrap(60, (places) => places.reduce((sum, i) => sum + right(i), 0) / 60, { seed: 4 });
    expect(found.accuracy!.low).toBeCloseTo(alone.low, 12);
    expect(figureIntervals(two, given, 4)).toEqual(found);
    expect(figureIntervals(two, given, 5)).not.toEqual(found);
  });

  it("leaves out what is not defined where all samples are of one class", () => {
    const one = { ...outputs(10, 2), targets: new Float64Array(10) };
    expect(figures(problem(classes(2)), one)).not.toHaveProperty("auroc");
    expect(figureIntervals(problem(classes(2)), one, 0)).not.toHaveProperty("auroc");
  });

  it("is in the unit of the labels, and of what answers are worth", () => {
    const number = problem({ kind: "number", name: "stars", mean: 3, scale: 2 });
    const off = { keys: ["a", "b"], logits: Float32Array.of(1, 1), targets: Float64Array.of(0, 0) };
    expect(figureIntervals(number, off, 0).rmse).toEqual({ low: 2, high: 2 });
    const answers = problem({ kind: "answers", names: ["yes", "no"] });
    const said = { keys: ["a"], logits: Float32Array.of(0, 1), targets: Float64Array.of(1, 0.3) };
    expect(figureIntervals(answers, said, 0)).toEqual({ vqa_score: { low: 0.3, high: 0.3 } });
  });
});

describe("the table of mistakes", () => {
  it("counts each right class and what it is taken for", () => {
    const said = {
      keys: ["a", "b", "c", "d"],
      logits: Float32Array.of(2, 1, 0, 2, 1, 0, 0, 0, 1, 0, 0, 1),
      targets: Float64Array.of(0, 1, 1, 1),
    };
    const section = confusionSection("test", classes(3), said);
    expect(section).toMatchObject({
      title: "Mistakes on test",
      classes: ["class 0", "class 1", "class 2"],
      counts: [
        [1, 0, 0],
        [1, 0, 2],
        [0, 0, 0],
      ],
    });
    expect(section!.text).toMatch(/Taken most often: class 1 for class 2 \(2\), class 1 for class 0 \(1\)\.$/);
    expect(confusionSection("test", { kind: "answers", names: ["x"] }, said)).toBeUndefined();
  });

  it("puts together what is rare among many classes, and loses no sample", () => {
    const section = confusionSection("validation", classes(50), outputs(400, 50))!;
    expect(section.classes).toHaveLength(30);
    expect(section.classes.at(-1)).toBe("all others");
    expect(section.counts.flat().reduce((sum, n) => sum + n, 0)).toBe(400);
    expect(section.text).toMatch(/The 29 commonest of 50 classes/);
  });
});
