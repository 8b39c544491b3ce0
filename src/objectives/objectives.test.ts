/** Each objective against a short naive version on host arrays, its gradient against finite differences, and its chance level. */
import { describe, expect, it } from "vitest";
import { derivativeErrors, normals, only } from "../../test/support/finite-difference.ts";
import { FINITE_DIFFERENCE } from "../../test/support/tolerances.ts";
import "../../test/support/matchers.ts";
import { constant, grad, graph, input, interpret, type Value } from "../graph/index.ts";
import { interpretWorkers } from "../graph/interpret/index.ts";
import { l2Normalize } from "../nn/index.ts";
import { fromNumbers, random, type Tensor, toNumbers } from "../tensor/index.ts";
import {
  dinoLoss,
  dvaeLoss,
  globalContrastive,
  imageTextMatching,
  klToUniform,
  maskedCrossEntropy,
  matchingChance,
  pairWeights,
  unevenness,
  wordShares,
} from "./index.ts";

const CLOSE = { rtol: 1e-12, atol: 1e-13 };
const float = (name: string, shape: readonly number[]) => input(name, shape) as Value<"input">;
const int = (name: string, shape: readonly number[]) => input(name, shape, "int32");
const ints = (values: readonly number[]): Tensor => fromNumbers(values, [values.length], "int32");
const floats = (values: readonly number[]): Tensor => fromNumbers(values, [values.length], "float64");

function run(outputs: Record<string, Value>, feeds: Record<string, Tensor>): Record<string, number[]> {
  const g = graph("objective", outputs);
  const results = interpret(g, only(g, feeds));
  return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, toNumbers(t)]));
}

const rowsOf = (t: Tensor): number[][] => {
  const [R, V] = t.shape as [number, number];
  const x = toNumbers(t);
  return Array.from({ length: R }, (_, r) => x.slice(r * V, (r + 1) * V));
};
const logSumExp = (row: readonly number[]): number => Math.log(row.reduce((s, x) => s + Math.exp(x), 0));
const nll = (row: readonly number[], target: number): number => logSumExp(row) - row[target]!;
const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((s, a, i) => s + a * y[i]!, 0);
const unit = (x: readonly number[]): number[] => x.map((a) => a / Math.sqrt(dot(x, x)));
const average = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;

function expectGradients(loss: Value, wrt: readonly Value<"input">[], feeds: Record<string, Tensor>): void {
  for (const { name, error, analytic } of derivativeErrors(loss, wrt, feeds)) {
    expect(error, name).toBeLessThan(FINITE_DIFFERENCE);
    expect(Math.abs(analytic), name).toBeGreaterThan(0);
  }
}

describe("maskedCrossEntropy", () => {
  const [logits, targets, weights] = [float("logits", [5, 7]), int("targets", [5]), float("weights", [5])];
  const result = maskedCrossEntropy({ logits, targets, weights });
  const feeds = { logits: normals("logits", [5, 7]), targets: ints([3, 0, 6, 0, 2]), weights: floats([1, 0, 1, 0, 1]) };

  it("is the mean of −log softmax at the targets of the selected rows", () => {
    const chosen = rowsOf(feeds.logits).map((row, r) => nll(row, [3, 0, 6, 0, 2][r]!));
    const { loss, count } = run({ loss: result.loss, count: result.count }, feeds);
    expect(loss).toBeAllclose([average([chosen[0]!, chosen[2]!, chosen[4]!])], CLOSE);
    expect(count).toEqual([3]);
  });
  it("counts hits among the selected rows only", () => {
    const best = rowsOf(feeds.logits).map((row) => row.indexOf(Math.max(...row)));
    const aim = [best[0]!, best[1]!, (best[2]! + 1) % 7, best[3]!, best[4]!];
    const { accuracy } = run({ accuracy: result.accuracy }, { ...feeds, targets: ints(aim) });
    expect(accuracy).toBeAllclose([2 / 3], CLOSE);
  });
  it("has the gradient of finite differences", () => expectGradients(result.loss, [logits], feeds));
  it("is 0 with gradient 0 when nothing is selected", () => {
    const [dLogits] = grad(result.loss, [logits]) as [Value];
    const none = { ...feeds, weights: floats([0, 0, 0, 0, 0]) };
    const found = run({ loss: result.loss, accuracy: result.accuracy, dLogits }, none);
    expect(found.loss).toEqual([0]);
    expect(found.accuracy).toEqual([0]);
    expect(found.dLogits!.every((x) => x === 0)).toBe(true);
  });
  it("is at chance, ln V, for equal logits", () => {
    const flat = { ...feeds, logits: fromNumbers(new Array(35).fill(2.5), [5, 7], "float64") };
    expect(run({ loss: result.loss }, flat).loss).toBeAllclose([Math.log(7)], CLOSE);
    expect(result.chance).toBe(Math.log(7));
  });
  it("does not depend on the order of rows, nor on what unselected rows hold", () => {
    const order = [4, 2, 0, 3, 1];
    const permuted = {
      logits: fromNumbers(
        order.flatMap((r) => rowsOf(feeds.logits)[r]!),
        [5, 7],
        "float64",
      ),
      targets: ints(order.map((r) => [3, 5, 6, 1, 2][r]!)),
      weights: floats(order.map((r) => [1, 0, 1, 0, 1][r]!)),
    };
    expect(run({ loss: result.loss }, permuted).loss).toBeAllclose(run({ loss: result.loss }, feeds).loss!, CLOSE);
  });
});

describe("imageTextMatching", () => {
  const [logits, labels] = [float("logits", [4, 2]), int("labels", [4])];
  const { loss, chance } = imageTextMatching(logits, labels);
  const feeds = { logits: normals("itm", [4, 2]), labels: ints([1, 0, 0, 1]) };
  it("is the mean cross entropy of all pairs, class 1 matched", () => {
    const naive = average(rowsOf(feeds.logits).map((row, r) => nll(row, [1, 0, 0, 1][r]!)));
    expect(run({ loss }, feeds).loss).toBeAllclose([naive], CLOSE);
    expect(chance).toBe(Math.LN2);
  });
  it("has the gradient of finite differences", () => expectGradients(loss, [logits], feeds));
  it("leaves the other losses the matched pairs, or all pairs when none is matched", () => {
    const weights = pairWeights(labels, logits);
    expect(run({ weights }, feeds).weights).toEqual([1, 0, 0, 1]);
    expect(run({ weights }, { ...feeds, labels: ints([0, 0, 0, 0]) }).weights).toEqual([1, 1, 1, 1]);
    expect(run({ weights }, { ...feeds, labels: ints([1, 1, 1, 1]) }).weights).toEqual([1, 1, 1, 1]);
  });
});

/** The CLIP loss over all pairs, rows in `counted` only, by hand. */
function naiveContrastive(images: number[][], texts: number[][], scale: number, counted: readonly number[]): number {
  const [I, T] = [images.map(unit), texts.map(unit)];
  const s = Math.exp(scale);
  const side = (X: number[][], Y: number[][]): number =>
    average(
      counted.map((i) =>
        nll(
          Y.map((y) => s * dot(X[i]!, y)),
          i,
        ),
      ),
    );
  return (side(I, T) + side(T, I)) / 2;
}

describe("globalContrastive", () => {
  const [image, text, scale, weights] = [
    float("image", [4, 3]),
    float("text", [4, 3]),
    float("scale", []),
    float("weights", [4]),
  ];
  const objective = globalContrastive(l2Normalize(image), l2Normalize(text), scale, { weights });
  const feeds = {
    image: normals("image", [4, 3]),
    text: normals("text", [4, 3]),
    scale: fromNumbers([1.3], [], "float64"),
    weights: floats([1, 0, 1, 1]),
  };
  it("is the symmetric cross entropy over pairs; pairs of weight 0 stay as columns", () => {
    const naive = naiveContrastive(rowsOf(feeds.image), rowsOf(feeds.text), 1.3, [0, 2, 3]);
    expect(run({ loss: objective.loss }, feeds).loss).toBeAllclose([naive], CLOSE);
  });
  it("has the gradient of finite differences, also for the temperature", () =>
    expectGradients(objective.loss, [image, text, scale], feeds));
  it("is at chance, ln B, when all similarities are equal", () => {
    const same = fromNumbers(new Array(12).fill(1), [4, 3], "float64");
    const { loss } = run({ loss: objective.loss }, { ...feeds, image: same, text: same });
    expect(loss).toBeAllclose([Math.log(4)], CLOSE);
    expect(objective.chance).toBe(Math.log(4));
  });
  it("is 0 with gradient 0 when no pair counts", () => {
    const [g] = grad(objective.loss, [image]) as [Value];
    const found = run({ loss: objective.loss, g }, { ...feeds, weights: floats([0, 0, 0, 0]) });
    expect([found.loss![0], Math.max(...found.g!.map(Math.abs))]).toEqual([0, 0]);
  });
});

describe("globalContrastive on two workers", () => {
  const W = 2;
  const [B, E] = [3, 4];
  const all = { image: normals("all images", [W * B, E]), text: normals("all texts", [W * B, E]) };
  const half = (t: Tensor, r: number): Tensor =>
    fromNumbers(toNumbers(t).slice(r * B * E, (r + 1) * B * E), [B, E], "float64");
  const feeds = Array.from({ length: W }, (_, rank) => ({
    image: half(all.image, rank),
    text: half(all.text, rank),
    rank: fromNumbers([rank], [], "int32"),
  }));
  const [image, text, rank] = [float("image", [B, E]), float("text", [B, E]), int("rank", [])];

  function workers(gather: "global" | "local" | "none") {
    const { loss } = globalContrastive(l2Normalize(image), l2Normalize(text), constant(1), {
      gather,
      parts: W,
      index: rank,
    });
    const [dImage, dText] = grad(loss, [image, text]) as [Value, Value];
    return interpretWorkers(graph("contrastive", { loss, dImage, dText }), feeds);
  }
  const full = (() => {
    const [I, T] = [float("image", [W * B, E]), float("text", [W * B, E])];
    const { loss } = globalContrastive(l2Normalize(I), l2Normalize(T), constant(1));
    const [dImage, dText] = grad(loss, [I, T]) as [Value, Value];
    return run({ loss, dImage, dText }, all);
  })();

  it("averages to the loss of the joined batch", () => {
    const losses = workers("global").map((r) => toNumbers(r.loss!)[0]!);
    expect([average(losses)]).toBeAllclose(full.loss!, CLOSE);
  });
  it("gives, averaged over workers, the gradient of the joined batch with a global gather", () => {
    const joined = workers("global").flatMap((r) => toNumbers(r.dImage!).map((x) => x / W));
    expect(joined).toBeAllclose(full.dImage!, CLOSE);
  });
  it("drops other workers' rows with a local gather, and all columns with none", () => {
    const [local, none] = [workers("local"), workers("none")];
    for (const mode of [local, none])
      expect([average(mode.map((r) => toNumbers(r.loss!)[0]!))]).toBeAllclose(full.loss!, CLOSE);
    const of = (r: Record<string, Tensor>[]) => r.flatMap((x) => toNumbers(x.dImage!).map((y) => y / W));
    const [a, b, c] = [full.dImage!, of(local), of(none)];
    const apart = (x: readonly number[], y: readonly number[]) => Math.max(...x.map((v, i) => Math.abs(v - y[i]!)));
    expect(apart(a, b)).toBeGreaterThan(1e-4);
    expect(apart(b, c)).toBeGreaterThan(1e-4);
  });
  it.each(["global", "local", "none"] as const)("does not see that each worker has two micro-batches: %s", (gather) => {
    const [n, b] = [2 * W, 3];
    const rows = (t: Tensor, i: number): Tensor =>
      fromNumbers(toNumbers(t).slice(i * b * E, (i + 1) * b * E), [b, E], "float64");
    const twice = { image: normals("more images", [n * b, E]), text: normals("more texts", [n * b, E]) };
    const at = (parts: number, perWorker: number) => {
      const [size, shape] = [(n * b) / parts, [(n * b) / parts, E]];
      const [I, T, index] = [float("image", shape), float("text", shape), int("index", [])];
      const options = { gather, parts, perWorker, index };
      const { loss } = globalContrastive(l2Normalize(I), l2Normalize(T), constant(1), options);
      const [dImage, dText] = grad(loss, [I, T]) as [Value, Value];
      const feeds = Array.from({ length: parts }, (_, part) => {
        const cutOut = (t: Tensor) =>
          fromNumbers(
            Array.from({ length: size / b }, (_, i) => toNumbers(rows(t, (part * size) / b + i))).flat(),
            shape,
            "float64",
          );
        return { image: cutOut(twice.image), text: cutOut(twice.text), index: fromNumbers([part], [], "int32") };
      });
      const found = interpretWorkers(graph("contrastive", { loss, dImage, dText }), feeds);
      const all = (name: string) => found.flatMap((r) => toNumbers(r[name]!).map((x) => x / parts));
      return { loss: [all("loss").reduce((x, y) => x + y)], dImage: all("dImage"), dText: all("dText") };
    };
    const [inParts, workersOnly] = [at(n, 2), at(W, 1)];
    expect(inParts.loss).toBeAllclose(workersOnly.loss, CLOSE);
    expect(inParts.dImage).toBeAllclose(workersOnly.dImage, CLOSE);
    expect(inParts.dText).toBeAllclose(workersOnly.dText, CLOSE);
  });
  it("is what one worker computes that holds the rows of both apart", () => {
    const [I, T] = [float("image", [W * B, E]), float("text", [W * B, E])];
    for (const gather of ["global", "local", "none"] as const) {
      const { loss } = globalContrastive(l2Normalize(I), l2Normalize(T), constant(1), { gather, apart: W });
      const [dImage, dText] = grad(loss, [I, T]) as [Value, Value];
      const found = run({ loss, dImage, dText }, all);
      const each = workers(gather);
      expect(found.loss).toBeAllclose([average(each.map((r) => toNumbers(r.loss!)[0]!))], CLOSE);
      for (const name of ["dImage", "dText"] as const)
        expect(found[name]).toBeAllclose(
          each.flatMap((r) => toNumbers(r[name]!).map((x) => x / W)),
          CLOSE,
        );
    }
  });
  it("a local gather has the gradient of its own rows and columns, by finite differences of the own loss", () => {
    const g = toNumbers(workers("local")[1]!.dImage!);
    const lossOf = (t: Tensor): number => {
      const mine = [...toNumbers(half(all.image, 0)), ...toNumbers(t)];
      const images = rowsOf(fromNumbers(mine, [W * B, E], "float64"));
      return naiveContrastive(images, rowsOf(all.text), 1, [3, 4, 5]);
    };
    const base = toNumbers(half(all.image, 1));
    const h = 1e-5;
    const numeric = base.map((x, i) => {
      const at = (y: number) => lossOf(fromNumbers(base.with(i, y), [B, E], "float64"));
      return (at(x + h) - at(x - h)) / (2 * h);
    });
    expect(g).toBeAllclose(numeric, { atol: 1e-9 });
  });
});

describe("dinoLoss", () => {
  const [V, G, B, K] = [3, 2, 2, 4];
  const [student, teacher, center] = [
    float("student", [V * B, K]),
    float("teacher", [G * B, K]),
    float("center", [1, K]),
  ];
  const { loss, chance, teacherEntropy } = dinoLoss({ student, teacher, center, crops: V, teacherTemperature: 0.5 });
  const feeds = { student: normals("s", [V * B, K]), teacher: normals("t", [G * B, K]), center: normals("c", [1, K]) };
  it("is the mean cross entropy over pairs of different crops", () => {
    const [S, T, c] = [rowsOf(feeds.student), rowsOf(feeds.teacher), toNumbers(feeds.center)];
    const terms: number[] = [];
    for (let i = 0; i < G; i++)
      for (let v = 0; v < V; v++)
        if (v !== i)
          for (let b = 0; b < B; b++) {
            const [t, s] = [T[i * B + b]!.map((x, k) => (x - c[k]!) / 0.5), S[v * B + b]!.map((x) => x / 0.1)];
            terms.push(-t.reduce((sum, x, k) => sum + Math.exp(x - logSumExp(t)) * (s[k]! - logSumExp(s)), 0));
          }
    expect(run({ loss }, feeds).loss).toBeAllclose([average(terms)], CLOSE);
  });
  it("has the gradient of finite differences for the student and none for the teacher", () => {
    expectGradients(loss, [student], feeds);
    const [g] = grad(loss, [teacher]) as [Value];
    expect(run({ g }, feeds).g!.every((x) => x === 0)).toBe(true);
  });
  it("is at chance, ln K, for a student that says nothing, and so is the entropy of such a teacher", () => {
    const flat = (rows: number) => fromNumbers(new Array(rows * K).fill(0.3), [rows, K], "float64");
    expect(run({ loss }, { ...feeds, student: flat(V * B) }).loss).toBeAllclose([Math.log(K)], CLOSE);
    const quiet = { ...feeds, teacher: flat(G * B), center: flat(1) };
    expect(run({ teacherEntropy }, quiet).teacherEntropy).toBeAllclose([Math.log(K)], CLOSE);
    expect(chance).toBe(Math.log(K));
  });
  it("does not depend on the order of images", () => {
    const swap = (t: Tensor) => {
      const rows = rowsOf(t);
      return fromNumbers(
        rows.flatMap((_, r) => rows[r ^ 1]!),
        t.shape,
        "float64",
      );
    };
    const swapped = { ...feeds, student: swap(feeds.student), teacher: swap(feeds.teacher) };
    expect(run({ loss }, swapped).loss).toBeAllclose(run({ loss }, feeds).loss!, CLOSE);
  });
});

describe("dvaeLoss", () => {
  const shapes = { pixels: [2, 3, 4, 4], mu: [2, 3, 4, 4], logScale: [2, 3, 4, 4], logits: [2, 5, 2, 2] } as const;
  const v = Object.fromEntries(Object.entries(shapes).map(([name, s]) => [name, float(name, s)])) as Record<
    keyof typeof shapes,
    Value<"input">
  >;
  const objective = dvaeLoss({ ...v, beta: 6.6 });
  const rng = random(3, "pixels");
  const feeds: Record<string, Tensor> = Object.fromEntries(
    Object.entries(shapes).map(([name, s]) => [name, normals(name, s)]),
  );
  feeds.pixels = fromNumbers(
    Array.from({ length: 96 }, () => 0.1 + 0.8 * rng.uniform()),
    shapes.pixels,
    "float64",
  );
  it("is the bound over the number of pixel values", () => {
    const [x, mu, lnb, z] = ["pixels", "mu", "logScale", "logits"].map((n) => toNumbers(feeds[n]!)) as [
      number[],
      number[],
      number[],
      number[],
    ];
    const density = x.map((p, i) => {
      const b = Math.exp(lnb[i]!);
      return Math.log(1 / (2 * b * p * (1 - p))) - Math.abs(Math.log(p / (1 - p)) - mu[i]!) / b;
    });
    let kl = 0;
    for (let b = 0; b < 2; b++)
      for (let place = 0; place < 4; place++) {
        const row = Array.from({ length: 5 }, (_, k) => z[b * 20 + k * 4 + place]!);
        kl += row.reduce((s, y) => s + Math.exp(y - logSumExp(row)) * (y - logSumExp(row) + Math.log(5)), 0);
      }
    const total = (-density.reduce((a, b) => a + b, 0) + 6.6 * kl) / 2 / 48;
    const found = run({ loss: objective.loss, kl: objective.kl }, feeds);
    expect(found.loss).toBeAllclose([total], CLOSE);
    expect(found.kl).toBeAllclose([kl / 8], CLOSE);
  });
  it("has the gradient of finite differences", () =>
    expectGradients(objective.loss, [v.mu, v.logScale, v.logits], feeds));
  it("has beside it the divergence of the batch's words from even use", () => {
    const z = toNumbers(feeds.logits!);
    const share = Array.from({ length: 5 }, () => 0);
    for (let b = 0; b < 2; b++)
      for (let place = 0; place < 4; place++) {
        const row = share.map((_, k) => z[b * 20 + k * 4 + place]!);
        for (const [k, y] of row.entries()) share[k]! += Math.exp(y - logSumExp(row)) / 8;
      }
    const uneven = unevenness(wordShares(v.logits));
    const expected = share.reduce((sum, q) => sum + q * Math.log(q), Math.log(5));
    expect(run({ uneven }, feeds).uneven).toBeAllclose([expected], { rtol: 1e-6, atol: 1e-8 });
    return expectGradients(uneven, [v.logits], feeds);
  });
  it("adds errors in colour by their weight", () => {
    const [x, mu] = ["pixels", "mu"].map((n) => toNumbers(feeds[n]!)) as [number[], number[]];
    let chroma = 0;
    for (let b = 0; b < 2; b++)
      for (let i = 0; i < 16; i++) {
        const [red, green, blue] = [0, 1, 2].map((c) => {
          const at = b * 48 + c * 16 + i;
          return x[at]! - 1 / (1 + Math.exp(-mu[at]!));
        }) as [number, number, number];
        chroma += (Math.abs(red - green) + Math.abs((red + green) / 2 - blue)) / 32;
      }
    const coloured = dvaeLoss({ ...v, beta: 6.6, chroma: 2 });
    const found = run({ plain: objective.loss, loss: coloured.loss, chroma: coloured.chroma! }, feeds);
    expect(found.chroma).toBeAllclose([chroma], CLOSE);
    expect(found.loss).toBeAllclose([found.plain![0]! + 2 * chroma], CLOSE);
    return expectGradients(coloured.loss, [v.mu, v.logits], feeds);
  });
  it("has divergence 0 for words that say nothing, and ln V for certain ones", () => {
    const logits = input("z", [2, 5]);
    const z = fromNumbers([0, 0, 0, 0, 0, 500, 0, 0, 0, 0], [2, 5], "float64");
    expect(run({ kl: klToUniform(logits) }, { z }).kl).toBeAllclose([0, Math.log(5)], CLOSE);
  });
});

describe("matchingChance", () => {
  it("is what always giving the share of replaced captions scores", () => {
    expect(matchingChance(0.1).loss).toBeCloseTo(0.3250829733914482, 12);
    expect(matchingChance(0.1).accuracy).toBe(0.9);
    expect(matchingChance(0.5)).toEqual({ loss: Math.LN2, accuracy: 0.5 });
    expect(matchingChance(0)).toEqual({ loss: 0, accuracy: 1 });
  });
});
