import { describe, expect, it } from "vitest";
import { type Sample, sourceOf } from "../../data/index.ts";
import type { Sources } from "./inputs.ts";
import { uncaptionedWords } from "./uncaptioned-words.ts";

/** Captions and texts as the recipe's two sources. */
function wordsOf(captions: readonly string[], texts: readonly string[], pairs = "synthetic:1x32") {
  const samples = (list: readonly string[]): Sample[] => list.map((text, i) => ({ key: String(i), texts: [text] }));
  const training: Sources["training"] = async ({ source }) =>
    sourceOf("words", samples(source === pairs ? captions : texts));
  const given = (source: string) => [{ source, weight: 1 }];
  const data = { pairs: given(pairs), texts: given("synthetic:2x32") } as unknown as Parameters<
    typeof uncaptionedWords
  >[0];
  return uncaptionedWords(data, { training } as Sources);
}
const often = (text: string): string[] => Array.from({ length: 10 }, () => text);

describe("uncaptionedWords", () => {
  it("takes common nouns that texts have and no caption has, in singular or plural, in the order of the Brown corpus", async () => {
    const captions = ["a House, two dogs", "the red house", "RED lights", "dogs"];
    const rare = Array.from({ length: 100 }, (_, i) => `xq${"abcdefghij"[i % 10]}${"abcdefghij"[Math.floor(i / 10)]}`);
    const texts = [
      ...often("The war, the government, the man, a dog, houses, a light."),
      "the president",
      rare.join(" "),
    ];
    const { words, among, rule } = await wordsOf(captions, texts);
    expect(words).toEqual(["man", "war", "government"]);
    expect(among).toEqual(["dogs", "house", "red", "lights", "two"]);
    expect(rule).toMatch(/^The 3 commonest nouns .* that no training caption has, .* the 5 commonest words/);
  });

  it("has none where captions are not at hand", async () => {
    expect(await wordsOf(["a dog"], often("the man"), "no-such-folder/pairs.tar")).toMatchObject({ words: [] });
  });
});
