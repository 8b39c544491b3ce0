import { describe, expect, it } from "vitest";
import { clipTokenizerJson } from "../../test/support/clip-tokenizer.ts";
import { DataError } from "../errors.ts";
import { tokenizerFiles, tokenizerFromFiles, tokenizerFromJson } from "./index.ts";

const MERGES = ["p h", "ph o", "pho t", "phot o</w>", "c a", "ca t</w>", "o f</w>", "' s</w>"];
const json = clipTokenizerJson(MERGES);
const tokenizer = tokenizerFromJson(json);
const pieces = (text: string): string[] => tokenizer.ids(text).map((id) => tokenizer.token(id));

describe("CLIP's byte pairs", () => {
  it("merge by rank, and mark the ends of words", () => {
    expect(pieces("a photo of a cat")).toEqual(["a</w>", "photo</w>", "of</w>", "a</w>", "cat</w>"]);
    expect(pieces("photos")).toEqual(["phot", "o", "s</w>"]);
  });
  it("do not see case, or how much space there is", () => {
    expect(pieces("  A \n\t PHOTO ")).toEqual(pieces("a photo"));
    expect(pieces("")).toEqual([]);
  });
  it("split digits, signs and the ends of English words", () => {
    expect(pieces("cat's 12!?")).toEqual(["cat</w>", "'s</w>", "1</w>", "2</w>", "!", "?</w>"]);
  });
  it("know every text by its bytes, and give it back", () => {
    const text = "ein schöner äpfel 🐈 和";
    expect(tokenizer.ids(text)).not.toContain(tokenizer.special.unk);
    expect(tokenizer.decode(tokenizer.ids(text))).toBe(text);
  });
  it("stand between their two special tokens, the last of which also pads", () => {
    const { special } = tokenizer;
    expect([tokenizer.token(special.cls), tokenizer.token(special.sep)]).toEqual(["<|startoftext|>", "<|endoftext|>"]);
    const { inputIds, attentionMask } = tokenizer.encode("a cat", { maxLength: 6, padding: "max_length" });
    expect(Array.from(inputIds)).toEqual([
      special.cls,
      ...tokenizer.ids("a cat"),
      special.sep,
      special.sep,
      special.sep,
    ]);
    expect(Array.from(attentionMask)).toEqual([1, 1, 1, 1, 0, 0]);
    expect(tokenizer.decode(inputIds)).toBe("a cat");
  });
  it("come from a model's folder as Hugging Face writes it, and go back into one", () => {
    const config = { pad_token: "<|endoftext|>", bos_token: "<|startoftext|>", tokenizer_class: "CLIPTokenizer" };
    const files = { "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(config) };
    const read = tokenizerFromFiles(files, "clip");
    expect(read.ids("a photo")).toEqual(tokenizer.ids("a photo"));
    const again = tokenizerFromFiles(tokenizerFiles(read, 77), "again");
    expect(again.ids("a photo's")).toEqual(tokenizer.ids("a photo's"));
    expect(Object.keys(tokenizerFiles(read, 77))).not.toContain("vocab.txt");
  });
  it("of other models are refused by what they lack", () => {
    const { model, ...rest } = json as { model: object };
    expect(() => tokenizerFromJson({ ...rest, model: { ...model, end_of_word_suffix: null } })).toThrow(/<\/w>/);
    const other = { ...rest, added_tokens: [], model: { ...model, vocab: { a: 0 } } };
    expect(() => tokenizerFromJson(other)).toThrow(DataError);
    expect(() => tokenizerFromJson(other)).toThrow(/got none for <\|startoftext\|>/);
  });
});
