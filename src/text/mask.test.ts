import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { random } from "../tensor/index.ts";
import { loadBertTokenizer } from "./load.node.ts";
import { IGNORE, type MaskedTexts, type MaskOptions, maskTexts, maxMaskTargets } from "./mask.ts";
import { selectTokens, selectWords, wordsOf } from "./select.ts";
import type { TextTokenizer } from "./tokenizer.ts";

const DRAW = { seed: 11, step: 3 };
let tokenizer: TextTokenizer;
beforeAll(async () => {
  tokenizer = await loadBertTokenizer();
});

/** (rows, T) of `[CLS] body [SEP] [PAD]…` with `body(row, i)` as the ids. */
function rowsOf(
  rows: number,
  length: number,
  size: (row: number) => number,
  body: (row: number, i: number) => number,
): Int32Array {
  const ids = new Int32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const tokens = [101, ...Array.from({ length: size(row) }, (_, i) => body(row, i)), 102];
    ids.set(tokens, row * length);
  }
  return ids;
}

const word = (row: number, i: number): number => 2000 + ((row * 31 + i * 7) % 8000);
const selectedOf = (masked: MaskedTexts): number[] =>
  Array.from(masked.labels.keys()).filter((i) => masked.labels[i] !== IGNORE);

/** Within 4.5 standard deviations of `expected` for `n` draws of probability p (false alarm below 1e-5). */
function expectBinomial(count: number, n: number, p: number): void {
  expect(Math.abs(count - n * p)).toBeLessThan(4.5 * Math.sqrt(n * p * (1 - p)));
}

describe("maskTexts, per token", () => {
  it("selects 15 % of the maskable tokens, and one where none came out", () => {
    const [rows, length] = [4000, 64];
    const size = (row: number): number => 1 + (row % 62);
    const masked = maskTexts(rowsOf(rows, length, size, word), rows, tokenizer, DRAW);
    let expected = 0;
    let variance = 0;
    for (let row = 0; row < rows; row++) {
      const none = 0.85 ** size(row);
      const mean = 0.15 * size(row) + none;
      expected += mean;
      variance += 0.15 * 0.85 * size(row) + (0.15 * size(row)) ** 2 + none - mean ** 2;
      expect(masked.counts[row]).toBeGreaterThanOrEqual(1);
    }
    expect(Math.abs(selectedOf(masked).length - expected)).toBeLessThan(4.5 * Math.sqrt(variance));
  });

  it("turns 80 % into [MASK], 10 % into a random id, and leaves 10 %", () => {
    const [rows, length] = [2000, 64];
    const ids = rowsOf(rows, length, () => 62, word);
    const masked = maskTexts(ids, rows, tokenizer, DRAW);
    const selected = selectedOf(masked);
    const now = (i: number): number => masked.inputIds[i]!;
    const chance = 0.1 / tokenizer.vocabSize;
    expectBinomial(selected.filter((i) => now(i) === 103).length, selected.length, 0.8 + chance);
    expectBinomial(selected.filter((i) => now(i) === ids[i]).length, selected.length, 0.1 + chance);
    expect(selected.every((i) => masked.labels[i] === ids[i])).toBe(true);
    expect(ids.every((id, i) => masked.labels[i] !== IGNORE || id === now(i))).toBe(true);
  });

  it("draws random ids uniformly from the vocabulary, special tokens only if they may", () => {
    const [rows, length] = [1000, 64];
    const ids = rowsOf(rows, length, () => 62, word);
    const allRandom = (options: MaskOptions): number[] =>
      Array.from(
        maskTexts(ids, rows, tokenizer, DRAW, { probability: 1, maskShare: 0, randomShare: 1, ...options }).inputIds,
      ).filter((_, i) => ids[i] !== 101 && ids[i] !== 102);
    const bins = new Float64Array(64);
    const drawn = allRandom({});
    for (const id of drawn) bins[Math.floor((id * 64) / tokenizer.vocabSize)]! += 1;
    const chi2 = bins.reduce((sum, n) => sum + (n - drawn.length / 64) ** 2 / (drawn.length / 64), 0);
    expect(drawn.length).toBe(62000);
    expect(chi2).toBeLessThan(63 + 4.5 * Math.sqrt(126));
    expect(drawn.some((id) => tokenizer.isSpecial[id] === 1)).toBe(true);
    expect(allRandom({ randomSpecials: false }).some((id) => tokenizer.isSpecial[id] === 1)).toBe(false);
  });
});

describe("maskTexts, both ways", () => {
  const anyText = fc.array(fc.oneof(fc.integer({ min: 0, max: 30521 }), fc.constantFrom(0, 100, 101, 102, 103)), {
    minLength: 1,
    maxLength: 40,
  });
  const anyOptions = fc.record({
    wholeWord: fc.boolean(),
    maxTargets: fc.integer({ min: 1, max: 50 }),
    probability: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it("never selects a pad or special, always at least one other, and agrees with itself", () => {
    const holds = fc.property(anyText, anyOptions, fc.nat(), (text, options, seed) => {
      const ids = Int32Array.from(text);
      const masked = maskTexts(ids, 1, tokenizer, { seed, step: 0 }, options);
      const selected = selectedOf(masked);
      const maskable = text.filter((id) => tokenizer.isSpecial[id] === 0).length;
      expect(selected.length).toBeGreaterThanOrEqual(Math.min(1, maskable));
      expect(selected.length).toBeLessThanOrEqual(options.maxTargets);
      expect(selected.some((i) => tokenizer.isSpecial[ids[i]!] === 1)).toBe(false);
      expect(masked.counts[0]).toBe(selected.length);
      const rest = options.maxTargets - selected.length;
      expect(Array.from(masked.positions)).toEqual([...selected, ...Array(rest).fill(0)]);
      expect(Array.from(masked.targets)).toEqual([...selected.map((i) => ids[i]), ...Array(rest).fill(IGNORE)]);
    });
    fc.assert(holds, { numRuns: 1000 });
  });

  it("gives text row r of a batch what it gives sample firstSample + r alone", () => {
    const ids = rowsOf(6, 20, (row) => row * 3 + 1, word);
    for (const wholeWord of [false, true]) {
      const whole = maskTexts(ids, 6, tokenizer, DRAW, { wholeWord });
      const tail = maskTexts(ids.slice(4 * 20), 2, tokenizer, { ...DRAW, firstSample: 4 }, { wholeWord });
      expect(Array.from(tail.inputIds)).toEqual(Array.from(whole.inputIds.slice(4 * 20)));
      expect(Array.from(tail.positions)).toEqual(Array.from(whole.positions.slice(4 * 20)));
      const later = maskTexts(ids, 6, tokenizer, { ...DRAW, step: 4 }, { wholeWord });
      expect(Array.from(later.labels)).not.toEqual(Array.from(whole.labels));
    }
  });

  it("has no targets in a text without a maskable token, and takes an empty batch", () => {
    const masked = maskTexts(Int32Array.from([101, 102, 0, 0]), 1, tokenizer, DRAW, { maxTargets: 2 });
    expect([...masked.labels, ...masked.targets]).toEqual(Array(6).fill(IGNORE));
    expect(maskTexts(new Int32Array(0), 0, tokenizer, DRAW).counts.length).toBe(0);
  });

  it("refuses impossible options", () => {
    const ids = Int32Array.from([101, 2000, 102]);
    expect(() => maskTexts(ids, 2, tokenizer, DRAW)).toThrow(/2 rows of one length, got 3 ids/);
    expect(() => maskTexts(ids, 1, tokenizer, DRAW, { maxTargets: 0 })).toThrow(/maxTargets of at least 1, got 0/);
    expect(() => maskTexts(ids, 1, tokenizer, DRAW, { maskShare: 0.8, randomShare: 0.3 })).toThrow(
      /maskShare \+ randomShare/,
    );
  });

  it("bounds the targets where selection rarely goes", () => {
    expect([maxMaskTargets(77), maxMaskTargets(512), maxMaskTargets(1)]).toEqual([21, 102, 1]);
  });
});

describe("selectTokens", () => {
  it("gives tokens beyond the maximum back at random, not from the end", () => {
    const ids = Int32Array.from({ length: 10 }, () => 2000);
    const hits = new Float64Array(10);
    for (let i = 0; i < 3000; i++) {
      for (const position of selectTokens(ids, tokenizer, random(5, "test", i), 1, 4)) hits[position]! += 1;
    }
    for (const count of hits) expectBinomial(count, 3000, 0.4);
  });
});

describe("selectWords", () => {
  it("finds words as a token with its continuations, broken by specials", () => {
    const { ids, token } = tokenizer;
    const text = Int32Array.from([101, ...ids("unaffable cat"), 102, ...ids("unaffable"), 0, 0]);
    const names = wordsOf(text, tokenizer).map((positions) => positions.map((i) => token(text[i]!)).join(" "));
    expect(names).toEqual(["una ##ffa ##ble", "cat", "una ##ffa ##ble"]);
  });

  it("keeps words whole within the budget and the maximum", () => {
    const text = Int32Array.from(
      tokenizer.encode("unaffable flamingos paragliding, antidisestablishmentarianism of cats", {
        maxLength: 32,
        padding: "max_length",
      }).inputIds,
    );
    const words = wordsOf(text, tokenizer);
    for (let i = 0; i < 500; i++) {
      const selected = new Set(selectWords(text, tokenizer, random(9, "test", i), 0.3, 6));
      expect(selected.size).toBeGreaterThan(0);
      expect(selected.size).toBeLessThanOrEqual(6);
      for (const positions of words)
        expect([0, positions.length]).toContain(positions.filter((p) => selected.has(p)).length);
    }
  });

  it("spends the budget of round(0.15 · 77) = 12 over words and padding alike", () => {
    const [n, length, texts] = [10, 77, 20000];
    const text = rowsOf(1, length, () => n, word);
    let total = 0;
    for (let i = 0; i < texts; i++) total += selectWords(text, tokenizer, random(2, "test", i), 0.15, length).length;
    // Drawing 12 of 75 (10 words, 65 pads) without replacement; a text that got nothing gets one.
    let none = 1;
    for (let k = 0; k < 12; k++) none *= (65 - k) / (75 - k);
    const mean = (12 * n) / 75 + none;
    expect(Math.abs(total / texts - mean)).toBeLessThan(4.5 * Math.sqrt(1.3 / texts));
  });

  it("takes 15 % of a full text", () => {
    const text = rowsOf(1, 512, () => 510, word);
    expect(selectWords(text, tokenizer, random(2, "test"), 0.15, 512).length).toBe(77);
  });

  it("cuts a word that alone is longer than the maximum", () => {
    const text = Int32Array.from([101, ...tokenizer.ids("antidisestablishmentarianism"), 102]);
    expect(text.length).toBeGreaterThan(6);
    expect(selectWords(text, tokenizer, random(1, "test"), 0.15, 3)).toEqual([1, 2, 3]);
  });
});
