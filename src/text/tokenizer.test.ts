import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bertVocabulary } from "./bert-vocabulary.node.ts";
import { loadBertTokenizer, loadTokenizer } from "./load.node.ts";
import { reducedVocabulary } from "./reduce.ts";
import { bertTokenizer, type TextTokenizer, tokenizerFromJson } from "./tokenizer.ts";
import { truncatePair } from "./truncation.ts";
import { checkBertVocabulary, fromWordStartSpelling, parseVocabularyText, vocabularyText } from "./vocabulary.ts";

let tokenizer: TextTokenizer;
beforeAll(async () => {
  tokenizer = await loadBertTokenizer();
});

describe("bertVocabulary", () => {
  it("is the published vocabulary: 30,522 entries, 5,828 continuations, the known landmarks", async () => {
    const vocabulary = await bertVocabulary();
    expect(vocabulary.length).toBe(30522);
    expect(vocabulary.filter((entry) => entry.startsWith("##")).length).toBe(5828);
    expect(vocabulary.slice(100, 104)).toEqual(["[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect([vocabulary[0], vocabulary[1], vocabulary[1996], vocabulary.at(-1)]).toEqual([
      "[PAD]",
      "[unused0]",
      "the",
      "##～",
    ]);
    expect(new TextEncoder().encode(vocabularyText(vocabulary)).length).toBe(231508);
  });

  it("refuses a vocabulary with one entry changed", async () => {
    const changed = [...(await bertVocabulary())];
    changed[5000] = `${changed[5000]}x`;
    await expect(checkBertVocabulary(changed)).rejects.toThrow(/expected sha256 07eced37/);
  });

  it("translates word starts, continuations and specials", () => {
    expect(fromWordStartSpelling(["[PAD]", "\u2581", "[unused7]", "\u2581the", "ing", "[x]"])).toEqual([
      "[PAD]",
      "[unused0]",
      "[unused7]",
      "the",
      "##ing",
      "##[x]",
    ]);
  });
});

describe("encode", () => {
  it.each([
    ["a photo of a cat", [101, 1037, 6302, 1997, 1037, 4937, 102]],
    ["Hello, my dog is cute", [101, 7592, 1010, 2026, 3899, 2003, 10140, 102]],
    [
      "The quick brown fox jumps over the lazy dog.",
      [101, 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012, 102],
    ],
  ])("gives %j its published ids", (text, ids) => {
    expect(Array.from(tokenizer.encode(text).inputIds)).toEqual(ids);
  });

  it("joins a pair with token types 0 and 1", () => {
    const { inputIds, tokenTypeIds, attentionMask } = tokenizer.encode("a cat", {
      pair: "a dog",
      maxLength: 10,
      padding: "max_length",
    });
    expect(Array.from(inputIds)).toEqual([101, 1037, 4937, 102, 1037, 3899, 102, 0, 0, 0]);
    expect(Array.from(tokenTypeIds)).toEqual([0, 0, 0, 0, 1, 1, 1, 0, 0, 0]);
    expect(Array.from(attentionMask)).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  });

  it("keeps an empty second text a pair", () => {
    expect(Array.from(tokenizer.encode("cat", { pair: "" }).inputIds)).toEqual([101, 4937, 102, 102]);
    expect(Array.from(tokenizer.encode("").inputIds)).toEqual([101, 102]);
  });

  it("truncates, leaving room for the special tokens", () => {
    const text = "one two three four five";
    expect(tokenizer.decode(tokenizer.encode(text, { maxLength: 5 }).inputIds)).toBe("one two three");
    const pair = tokenizer.encode(text, { pair: "six seven", maxLength: 8 });
    expect(tokenizer.decode(pair.inputIds, { skipSpecialTokens: false })).toBe(
      "[CLS] one two three [SEP] six seven [SEP]",
    );
  });

  it("refuses options that cannot be met", () => {
    expect(() => tokenizer.encode("a", { maxLength: 1 })).toThrow(/at least 2/);
    expect(() => tokenizer.encode("a", { pair: "b", maxLength: 2 })).toThrow(/at least 3/);
    expect(() => tokenizer.encode("a", { padding: "max_length" })).toThrow(/maxLength/);
    expect(() => tokenizer.encode("a b c", { maxLength: 3, truncation: "none" })).toThrow(/at most 1 tokens, got 3/);
  });

  it("encodes a batch as its rows, padded to the longest or to maxLength", () => {
    const batch = tokenizer.encodeBatch(["a cat", "the"], { pairs: ["dog", "bird fish"] });
    expect([batch.rows, batch.length]).toEqual([2, 6]);
    expect(Array.from(batch.inputIds)).toEqual([101, 1037, 4937, 102, 3899, 102, 101, 1996, 102, 4743, 3869, 102]);
    expect(tokenizer.encodeBatch(["a"], { maxLength: 77, padding: "max_length" }).length).toBe(77);
    expect(tokenizer.encodeBatch([]).inputIds.length).toBe(0);
    expect(() => tokenizer.encodeBatch(["a"], { pairs: [] })).toThrow(/expected 1 second texts, got 0/);
  });
});

describe("truncatePair", () => {
  const list = (length: number): number[] => Array.from({ length }, (_, i) => i);

  it("longest_first equals taking one token at a time from the longer list, the second when equal", () => {
    for (let a = 0; a < 12; a++) {
      for (let b = 0; b < 12; b++) {
        for (let budget = 0; budget < 24; budget++) {
          let [x, y] = [a, b];
          while (x + y > budget) x > y ? x-- : y--;
          expect(truncatePair(list(a), list(b), budget).map((ids) => ids.length)).toEqual([x, y]);
        }
      }
    }
  });

  it("only_first and only_second leave the other alone, or fail", () => {
    expect(truncatePair(list(5), list(3), 6, "only_first")).toEqual([list(3), list(3)]);
    expect(truncatePair(list(5), list(3), 6, "only_second")).toEqual([list(5), list(1)]);
    expect(() => truncatePair(list(5), list(3), 4, "only_second")).toThrow(/at most 4 tokens, got 5 and 3/);
  });
});

describe("decode", () => {
  it("joins pieces, tidies punctuation and drops special tokens unless asked", () => {
    const { inputIds } = tokenizer.encode("Unaffable cats, don't!", { maxLength: 16, padding: "max_length" });
    expect(tokenizer.decode(inputIds)).toBe("unaffable cats, don't!");
    expect(tokenizer.decode([101, 7592, 103, 102, 0], { skipSpecialTokens: false })).toBe(
      "[CLS] hello [MASK] [SEP] [PAD]",
    );
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.token(99999)).toBe("[UNK]");
  });
});

describe("loading", () => {
  it("round-trips through tokenizer.json and vocab.txt in a folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "flava-tokenizer-"));
    try {
      const text = "Naïve MASKED words";
      await writeFile(join(folder, "vocab.txt"), vocabularyText(tokenizer.vocabulary));
      expect((await loadTokenizer(folder)).ids(text)).toEqual(tokenizer.ids(text));
      await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify({ do_lower_case: false }));
      const cased = await loadTokenizer(join(folder, "vocab.txt"));
      expect(cased.token(cased.ids(text)[0]!)).toBe("[UNK]");
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
      expect((await loadTokenizer(folder)).ids(text)).toEqual(cased.ids(text));
      await writeFile(join(folder, "tokenizer_config.json"), "{");
      await expect(loadTokenizer(folder)).rejects.toThrow(/expected JSON, got "\{"/);
      await expect(loadTokenizer(join(folder, "none", "vocab.txt"))).rejects.toThrow(/expected vocab.txt, got none/);
      await symlink("loop.txt", join(folder, "loop.txt"));
      await expect(loadTokenizer(join(folder, "loop.txt"))).rejects.toThrow(
        /loop.txt: expected a readable file, got ELOOP/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("refuses other models and broken vocabularies with the reason", () => {
    expect(() => tokenizerFromJson({ model: { type: "BPE", vocab: {} } })).toThrow(
      /expected a WordPiece model, got BPE/,
    );
    expect(() => tokenizerFromJson({ model: { vocab: { a: "x" } } })).toThrow(/tokenizer.json/);
    const gap = { "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, a: 6 };
    expect(() => tokenizerFromJson({ model: { vocab: gap } })).toThrow(/without a gap, got none for 5/);
    expect(() => parseVocabularyText("[PAD]\n[UNK]\n")).toThrow(/without \[CLS\] \[SEP\] \[MASK\]/);
    expect(() => bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "a"])).toThrow(/got "a" as 5 and 6/);
  });
});

describe("reducedVocabulary", () => {
  const corpus = ["a photo of an unaffable cat", "tulips and cats", "naïve flamingos"];

  it("keeps the specials as 0 to 4 and gives the corpus the remapped ids of the full tokenizer", () => {
    const full = corpus.map((text) => tokenizer.ids(text));
    const reduced = reducedVocabulary(tokenizer, full);
    expect(reduced.vocabulary.slice(0, 5)).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect(reduced.vocabulary.length).toBeLessThan(300);
    for (const [i, text] of corpus.entries()) {
      expect(reduced.tokenizer.ids(text)).toEqual(Array.from(reduced.remap(full[i]!)));
      expect(reduced.tokenizer.decode(reduced.tokenizer.ids(text))).toBe(tokenizer.decode(full[i]!));
    }
    expect(Array.from(reduced.remap([101, 102, 103, 0, 100]))).toEqual([2, 3, 4, 0, 1]);
    expect(Array.from(reduced.oldIds.slice(0, 5))).toEqual([0, 100, 101, 102, 103]);
  });

  it("spells unseen words with the alphabet, or gives [UNK] without it, and drops rare entries", () => {
    const full = corpus.map((text) => tokenizer.ids(text));
    const spelled = reducedVocabulary(tokenizer, full).tokenizer;
    expect(spelled.decode(spelled.ids("zebra"))).toBe("zebra");
    const bare = reducedVocabulary(tokenizer, full, { keepAlphabet: false }).tokenizer;
    expect(bare.ids("zebra")).toEqual([bare.special.unk]);
    const frequent = reducedVocabulary(tokenizer, [[4937, 4937, 3899]], { minCount: 2, keepAlphabet: false });
    expect(frequent.vocabulary.slice(5)).toEqual(["cat"]);
    expect(Array.from(frequent.remap([4937, 3899]))).toEqual([5, 1]);
    expect(() => reducedVocabulary(tokenizer, [[30522]])).toThrow(/ids below 30522, got 30522/);
  });
});
