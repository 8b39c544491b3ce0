import { describe, expect, it } from "vitest";
import { loadBertTokenizer } from "./load.node.ts";
import { bertTokenizer } from "./tokenizer.ts";
import { textWords, unknownWords } from "./unknown-words.ts";
import { SPECIAL_TOKENS } from "./vocabulary.ts";

const full = await loadBertTokenizer();
const words = bertTokenizer([...SPECIAL_TOKENS, "a", "red", "bus", "cafe", "##s", "草", "."]);

describe("unknownWords", () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ["nothing of a known text", "A red bus.", []],
    ["nothing of an empty text", "", []],
    ["nothing of spaces and punctuation", " \t\n—!?… ", []],
    ["several words in their order, each once", "zebra red okapi zebra", ["zebra", "okapi"]],
    ["the words as they were written", "A Zebra, a zebra and a ZEBRA", ["Zebra", "and"]],
    ["no plural that pieces spell", "buses? No: buss", ["buses", "No"]],
    ["words beside punctuation without it", "(“zebra”), red/okapi; a.b", ["zebra", "okapi", "b"]],
    ["the parts of words with hyphens and apostrophes", "red-hot bus's d'or", ["hot", "s", "d", "or"]],
    ["no word whose accent is stripped, another word's as written", "Café Zébra", ["Zébra"]],
    ["words of other scripts, ideographs one by one", "красный 草莓 いちご bus", ["красный", "莓", "いちご"]],
    ["emoji and signs, but none of ASCII", "🍓 red + 5 € 👩‍🚀", ["🍓", "5", "€", "👩‍🚀"]],
    ["nothing of special tokens", "a [MASK] [UNK] [SEP]", []],
    ["nothing of characters that are dropped anyway", "\u0000 \uFFFD \u200B \uFE0F \uE000", []],
    ["a word with an invisible character inside as the word", "re\u200Bd ze\u00ADbra", ["ze\u00ADbra"]],
    ["a word that is too long for WordPiece", `red ${"a".repeat(101)}`, ["a".repeat(101)]],
  ];
  it.each(cases)("names %s", (_, text, expected) => {
    expect(unknownWords(words, text)).toEqual(expected);
  });

  it("keeps case apart where the tokenizer does", () => {
    const cased = bertTokenizer([...SPECIAL_TOKENS, "Red"], { lowercase: false });
    expect(unknownWords(cased, "Red red RED")).toEqual(["red", "RED"]);
  });

  it("knows every English word that bert-base-uncased can spell", () => {
    expect(unknownWords(full, "A strawberry's unaffable sandwiches: 12 €, naïve")).toEqual([]);
    expect(unknownWords(full, "a 🍓 cake")).toEqual(["🍓"]);
  });

  it("finds as many words as the tokenizer has [UNK], in texts of all kinds", () => {
    const none = bertTokenizer([...SPECIAL_TOKENS]);
    const count = (text: string): number => none.ids(text).length;
    for (const text of [
      "red buses",
      "いちご a\fb",
      "草莓x草",
      "x\uFEFFy z\u3000w",
      "A\u0301B é \u{20000}\u{2B000}",
      "1000 km²",
    ])
      expect(textWords(text), text).toHaveLength(count(text));
  });
});
