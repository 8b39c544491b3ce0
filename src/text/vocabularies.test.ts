import { describe, expect, it } from "vitest";
import { describeCoverage, vocabularyCoverage } from "./coverage.ts";
import { bertTokenizer, type TextTokenizer } from "./tokenizer.ts";
import { tokenizerHash } from "./tokenizer-hash.ts";
import { SPECIAL_TOKENS } from "./vocabulary.ts";

const of = (...words: string[]): TextTokenizer => bertTokenizer([...SPECIAL_TOKENS, ...words]);

describe("vocabularyCoverage", () => {
  const texts = ["Red square", "red zebras", "quagga okapi zebra", ""];
  const commonest = ["okapi", "quagga", "zebra", "zebras"].map((word) => ({ word, count: 1 }));
  const expected = { texts: 4, words: 7, unknown: 4, unknownShare: 4 / 7, unreadable: 2, commonest };

  it("counts the words that become [UNK]", () => {
    const words = of("red", "square", "##s");
    expect(vocabularyCoverage(words, texts)).toEqual(expected);
  });

  it("counts the commonest unknown words first, in one case, and no punctuation", () => {
    const { words, commonest } = vocabularyCoverage(of("red"), ["Zebra, red zebra!", "an okapi", "OKAPI zebra"]);
    expect(words).toBe(7);
    expect(commonest).toEqual([
      { word: "zebra", count: 3 },
      { word: "okapi", count: 2 },
      { word: "an", count: 1 },
    ]);
  });

  it("counts a word that is spelled in pieces as one that is known", () => {
    expect(vocabularyCoverage(of("z", "##ebra", "##s"), ["zebras"])).toMatchObject({ words: 1, unknown: 0 });
  });
});

describe("describeCoverage", () => {
  it("says how many words are unknown, which, and how many texts are lost", () => {
    expect(describeCoverage(vocabularyCoverage(of("red"), ["Zebra, red zebra!", "okapi"]), 1)).toBe(
      "75 % of 4 words, the commonest: zebra (2); 1 of 2 texts have no known word",
    );
    expect(describeCoverage(vocabularyCoverage(of("red"), ["red", "Red red"]))).toBe("none of 3 words in 2 texts");
    const one = vocabularyCoverage(of("red"), [`${"red ".repeat(299)} okapi`]);
    expect(describeCoverage(one)).toBe("0.33 % of 300 words, the commonest: okapi (1)");
    expect(describeCoverage(vocabularyCoverage(of("red"), ["a".repeat(90)]))).toContain(`${"a".repeat(23)}… (1)`);
  });
});

describe("tokenizerHash", () => {
  const { json } = of("red", "square");
  const other = (change: object): Promise<string> => tokenizerHash({ ...json, ...change });

  it("changes with words, their numbers and normalisation", async () => {
    const hash = await tokenizerHash(json);
    const changed = [
      tokenizerHash(of("square", "red").json),
      tokenizerHash(of("red", "squares").json),
      tokenizerHash(bertTokenizer([...SPECIAL_TOKENS, "red", "square"], { lowercase: false }).json),
      other({ added_tokens: [...json.added_tokens, { id: 5, content: "red" }] }),
    ];
    const all = [hash, ...(await Promise.all(changed))];
    expect(new Set(all).size).toBe(all.length);
    for (const one of all) expect(one).toMatch(/^[0-9a-f]{64}$/);
  });

  it("stays where only the writing changes", async () => {
    const turned = (value: unknown): unknown =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, field]) => [name, turned(field)]),
          )
        : value;
    const hash = await tokenizerHash(json);
    expect(await tokenizerHash(turned(JSON.parse(JSON.stringify(json))) as typeof json)).toBe(hash);
    expect(await other({ truncation: { max_length: 77 }, padding: { pad_id: 0 }, version: "1.1" })).toBe(hash);
  });
});
