import { describe, expect, it } from "vitest";
import { loadBertTokenizer } from "./load.node.ts";
import { tokenizerFromJson } from "./tokenizer.ts";
import { skippingUnknown } from "./tokenizer-json.ts";
import { wordTokenizer } from "./words.ts";

const full = await loadBertTokenizer();
const corpus = ["a Hourglass, not done", "the café: an unaffable hourglass", "done!"].map((text) => full.ids(text));

describe("wordTokenizer", () => {
  it("holds whole words after the specials, the commonest first", () => {
    const { vocabulary, isContinuation } = wordTokenizer(full, corpus);
    expect(vocabulary.slice(0, 5)).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect(vocabulary.slice(5)).toEqual(["done", "hourglass", "a", "an", "cafe", "not", "the", "unaffable"]);
    expect(Array.from(isContinuation)).not.toContain(1);
    expect(full.ids("unaffable").length).toBeGreaterThan(1);
    expect(wordTokenizer(full, corpus, { minCount: 2 }).vocabulary.slice(5)).toEqual(["done", "hourglass"]);
  });

  it("skips punctuation and words it does not have, also when read from its file", () => {
    const made = wordTokenizer(full, corpus);
    const read = tokenizerFromJson(JSON.parse(JSON.stringify(made.json)));
    for (const { ids, token, encode, special } of [made, read]) {
      expect(ids("The hourglass, a zebra: unaffably DONE").map(token)).toEqual(["the", "hourglass", "a", "done"]);
      expect(Array.from(encode("zebra").inputIds)).toEqual([special.cls, special.sep]);
    }
    expect(tokenizerFromJson(skippingUnknown(made.json, false)).ids("zebra")).toEqual([made.special.unk]);
  });

  it("has no field of its own at the top of its file: Hugging Face's tokenizers refuses such a file", () => {
    const { json } = wordTokenizer(full, corpus);
    const known = ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor"];
    expect(Object.keys(json).filter((key) => ![...known, "decoder", "model"].includes(key))).toEqual([]);
    expect(json.model.skip_unknown).toBe(true);
    expect(() => tokenizerFromJson({ ...json, skip_unknown: true })).toThrow(/skip_unknown belongs into "model"/);
  });
});
