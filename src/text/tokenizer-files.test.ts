import { describe, expect, it } from "vitest";
import { bertTokenizer } from "./tokenizer.ts";
import { type TokenizerFiles, tokenizerFiles, tokenizerFromFiles } from "./tokenizer-files.ts";
import { vocabularyText } from "./vocabulary.ts";

const WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "Cat", "##s", "é", "e"];
const vocab = vocabularyText(WORDS);
const json = (value: unknown): string => JSON.stringify(value);
const read = (files: TokenizerFiles) => tokenizerFromFiles(files, "model");
const tokens = (files: TokenizerFiles, text: string): string[] => {
  const tokenizer = read(files);
  return tokenizer.ids(text).map((id) => tokenizer.token(id));
};

describe("tokenizerFromFiles", () => {
  it("reads the old form as Hugging Face's BertTokenizer does", () => {
    expect(tokens({ "vocab.txt": vocab }, "a Cats é")).toEqual(["a", "cat", "##s", "e"]);
    const cased = { "tokenizer_config.json": json({ do_lower_case: false }) };
    expect(tokens({ "vocab.txt": vocab, ...cased }, "a Cats é")).toEqual(["a", "Cat", "##s", "é"]);
    const accents = { "tokenizer_config.json": json({ do_lower_case: true, strip_accents: false }) };
    expect(tokens({ "vocab.txt": `\uFEFF${vocab.replaceAll("\n", "\r\n")}`, ...accents }, "É")).toEqual(["é"]);
  });

  it("knows tokens that were added, in either form", () => {
    const old = { "vocab.txt": vocab, "added_tokens.json": json({ "<dog>": 11 }) };
    expect(tokens(old, "a <dog> cat")).toEqual(["a", "<dog>", "cat"]);
    const added_tokens_decoder = { 0: { content: "[PAD]", special: true }, 11: { content: "<dog>", special: false } };
    const config = { "tokenizer_config.json": json({ added_tokens_decoder }) };
    expect(tokens({ "vocab.txt": vocab, ...config }, "a <dog>s")).toEqual(["a", "<dog>", "[UNK]"]);
    expect(read({ "tokenizer.json": json(bertTokenizer(WORDS).json), ...config }).vocabSize).toBe(12);
  });

  it("takes the roles of special tokens as names or as objects", () => {
    const roles = json({ cls_token: "[CLS]", mask_token: { content: "[MASK]", lstrip: true }, pad_token: null });
    expect(read({ "vocab.txt": vocab, "special_tokens_map.json": roles }).special.mask).toBe(4);
  });

  const good = json(bertTokenizer(WORDS).json);
  const edited = (
    edit: (copy: { model: Record<string, unknown> & { vocab: Record<string, number> } }) => unknown,
  ): string => {
    const copy = JSON.parse(good);
    edit(copy);
    return json(copy);
  };
  it.each<[string, TokenizerFiles, RegExp]>([
    ["nothing", {}, /model: expected tokenizer.json or vocab.txt, got none/],
    ["cut JSON", { "tokenizer.json": good.slice(0, 100) }, /model\/tokenizer.json: expected JSON, got/],
    [
      "a config that is a list",
      { "vocab.txt": vocab, "tokenizer_config.json": "[]" },
      /tokenizer_config.json: .*expected/,
    ],
    [
      "a role of another kind of model",
      { "vocab.txt": vocab, "special_tokens_map.json": json({ cls_token: "<s>" }) },
      /special_tokens_map.json: expected cls_token \[CLS\], got "<s>"/,
    ],
    [
      "two vocabularies",
      { "vocab.txt": vocab.replace("a\n", "b\n"), "tokenizer.json": good },
      /vocab.txt and tokenizer.json of one vocabulary, got "b" and "a" for the id 5/,
    ],
    [
      "more words in vocab.txt",
      { "vocab.txt": `${vocab}z\n`, "tokenizer.json": good },
      /got "z" and "nothing" for the id 11/,
    ],
    [
      "an added token in a word's place",
      { "vocab.txt": vocab, "added_tokens.json": json({ x: 6 }) },
      /one token for the id 6, got "cat" and "x"/,
    ],
    [
      "an added token after a gap",
      { "vocab.txt": vocab, "added_tokens.json": json({ x: 13 }) },
      /next added token at the id 11, got "x" at 13/,
    ],
    [
      "an id that is no number",
      { "vocab.txt": vocab, "added_tokens.json": json({ x: "11" }) },
      /added_tokens.json: .*expected number/,
    ],
    [
      "two words of one id",
      { "tokenizer.json": edited((copy) => (copy.model.vocab.cat = 5)) },
      /one token for the id 5, got "a" and "cat"/,
    ],
    [
      "another unknown token",
      { "tokenizer.json": edited((copy) => (copy.model.unk_token = "<unk>")) },
      /expected unk_token \[UNK\], got "<unk>"/,
    ],
    [
      "another kind of model",
      { "tokenizer.json": edited((copy) => (copy.model.type = "BPE")) },
      /expected a WordPiece model, got BPE/,
    ],
    ["binary", { "vocab.txt": "\0\0\n\0" }, /expected/],
  ])("refuses %s", (_, files, message) => {
    expect(() => read(files)).toThrow(
      expect.objectContaining({ code: "E_DATA", message: expect.stringMatching(message) }),
    );
  });
});

describe("tokenizerFiles", () => {
  it.each([{}, { lowercase: false }, { stripAccents: false }])("writes what it reads again: %o", (options) => {
    const tokenizer = bertTokenizer(WORDS, options);
    const files = tokenizerFiles(tokenizer, 77);
    expect(Object.keys(files)).toEqual([
      "tokenizer.json",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "vocab.txt",
    ]);
    const { "tokenizer.json": _, ...old } = files;
    for (const form of [files, old])
      expect(tokens(form, "a Cats É")).toEqual(tokenizer.ids("a Cats É").map(tokenizer.token));
    expect(JSON.parse(files["tokenizer_config.json"]!)).toMatchObject({
      model_max_length: 77,
      tokenizer_class: "BertTokenizer",
      mask_token: "[MASK]",
    });
  });

  it("keeps added tokens out of vocab.txt, and leaves that out where it cannot say an entry", () => {
    const added = read({ "vocab.txt": vocab, "added_tokens.json": json({ "<dog>": 11 }) });
    const files = tokenizerFiles(added, 77);
    expect(files["vocab.txt"]).toBe(vocab);
    expect(tokens(files, "<dog>")).toEqual(["<dog>"]);
    expect(tokenizerFiles(bertTokenizer([...WORDS, "a\nb"]), 77)["vocab.txt"]).toBeUndefined();
  });
});
