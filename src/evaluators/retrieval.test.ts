import { beforeAll, describe, expect, it } from "vitest";
import { type Device, openDevice } from "../runtime/index.ts";
import { fromNumbers, random } from "../tensor/index.ts";
import { ranks, recallAt, retrieval, scoreBlocks, scores, topK } from "./retrieval.ts";

const unit = (rows: number[][]) =>
  fromNumbers(
    rows.flatMap((r) => r.map((x) => x / Math.hypot(...r))),
    [rows.length, rows[0]!.length],
  );

let device: Device;
beforeAll(async () => {
  device = await openDevice("cpu");
});

describe("scores", () => {
  it("are cosines of unit rows", () => {
    const s = scores(
      unit([
        [1, 0],
        [1, 1],
      ]),
      unit([
        [0, 2],
        [3, 0],
        [-1, -1],
      ]),
    );
    [0, 1, -Math.SQRT1_2, Math.SQRT1_2, Math.SQRT1_2, -1].forEach((x, i) => {
      expect(s[i]).toBeCloseTo(x, 6);
    });
  });
  it("refuse rows of different widths", () =>
    expect(() => scores(unit([[1, 0]]), unit([[1, 0, 0]]))).toThrow(/widths differ/));
});

describe("ranks", () => {
  it("count the wrong candidates ahead of the best right one", () =>
    expect([...ranks(Float32Array.of(0.1, 0.9, 0.5, 0.4, 0.3, 0.2), 3, (q, c) => c === (q === 0 ? 2 : 0))]).toEqual([
      1, 0,
    ]));
  it("count ties against the model", () =>
    expect([...ranks(Float32Array.of(1, 1, 1), 3, (_, c) => c === 0)]).toEqual([2]));
  it("count what is no number against the model", () =>
    expect([...ranks(new Float32Array(3).fill(Number.NaN), 3, (_, c) => c === 0)]).toEqual([2]));
});

describe("retrieval", () => {
  it("is perfect for perfect embeddings, with several images of a concept", async () => {
    const r = await retrieval(
      device,
      {
        embeds: unit([
          [1, 0, 0],
          [1, 0.1, 0],
          [0, 1, 0],
          [0, 0, 1],
        ]),
        concepts: ["a", "a", "b", "c"],
      },
      {
        embeds: unit([
          [1, 0, 0],
          [0, 1, 0],
          [0, 0, 1],
        ]),
        concepts: ["a", "b", "c"],
      },
    );
    expect(r.text_retrieval_recall[1]).toBe(1);
    expect(r.image_retrieval_recall[1]).toBe(1);
    expect(r.chance.text[1]).toBeCloseTo(1 / 3);
    expect(r.chance.image[1]).toBeCloseTo((2 / 4 + 1 / 4 + 1 / 4) / 3);
    expect(r.chance.image[5]).toBe(1);
  });
  it("refuses rows that are not of length 1, whose products are no cosines", async () => {
    const long = { dtype: "float32" as const, shape: [1, 2], data: Float32Array.of(3, 4) };
    const one = { embeds: unit([[1, 0]]), concepts: ["a"] };
    await expect(retrieval(device, one, { embeds: long, concepts: ["a"] })).rejects.toThrow(
      /rows of length 1, got one of 5/,
    );
  });
  it("is near chance for random embeddings", async () => {
    const rng = random(7, "retrieval-test");
    const rows = () => unit(Array.from({ length: 300 }, () => Array.from({ length: 16 }, () => rng.normal())));
    const concepts = Array.from({ length: 300 }, (_, i) => String(i));
    const r = await retrieval(device, { embeds: rows(), concepts }, { embeds: rows(), concepts });
    expect(r.chance.text[10]).toBeCloseTo(1 / 30);
    expect(r.text_retrieval_recall[10]).toBeLessThan(0.09); // chance 1/30; five standard deviations above it
  });
});

describe("scoreBlocks", () => {
  it("gives what scores gives, block by block, with a last block that is not full", async () => {
    const rng = random(8, "score-blocks");
    const rows = (n: number) => unit(Array.from({ length: n }, () => Array.from({ length: 5 }, () => rng.normal())));
    const [queries, candidates] = [rows(2500), rows(7)];
    const all = scores(queries, candidates);
    const firsts: number[] = [];
    for await (const [first, scored] of scoreBlocks(device, queries, candidates)) {
      firsts.push(first);
      scored.forEach((score, i) => {
        expect(Math.abs(score - all[first * 7 + i]!)).toBeLessThan(1e-6);
      });
    }
    expect(firsts).toEqual([0, 1024, 2048]);
  });
});

describe("chance", () => {
  it("is what counting all orders gives", async () => {
    const one = (n: number) => unit(Array.from({ length: n }, () => [1, 0]));
    const texts = ["a", "a", "b", "b", "b", "c", "c"]; // of a query "a": 2 right ones among 7
    const r = await retrieval(device, { embeds: one(1), concepts: ["a"] }, { embeds: one(7), concepts: texts });
    let [hits, all] = [0, 0];
    for (let set = 0; set < 2 ** 7; set++) {
      const chosen = texts.filter((_, i) => (set >> i) & 1);
      if (chosen.length !== 5) continue;
      all++;
      if (chosen.includes("a")) hits++;
    }
    expect(r.chance.text[5]).toBeCloseTo(hits / all, 12);
    expect(r.chance.text[1]).toBeCloseTo(2 / 7, 12);
    expect(r.chance.text[10]).toBe(1);
  });
});

describe("topK", () => {
  it("lists the best first", () => expect(topK(Float32Array.of(3, 9, 1, 7), 2)).toEqual([1, 3]));
  it("is a stable sort, cut off", () => {
    const rng = random(3, "top-k");
    const row = Float32Array.from({ length: 200 }, () => rng.integer(40));
    const sorted = [...row.keys()].sort((a, b) => row[b]! - row[a]!);
    for (const k of [1, 20, 200, 300]) expect(topK(row, k)).toEqual(sorted.slice(0, k));
  });
});
describe("recallAt", () => {
  it("counts ranks below k", () => expect(recallAt(Int32Array.of(0, 4, 5, 20), 5)).toBe(0.5));
});
