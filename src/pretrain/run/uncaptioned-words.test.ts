import { describe, expect, it } from "vitest";
import { type Sample, sourceOf } from "../../data/index.ts";
import type { Sources } from "./inputs.ts";
import { uncaptionedWords } from "./uncaptioned-words.ts";

/** Captions, texts and held-out captions as the recipe's three sources. */
function wordsOf(
  captions: readonly string[],
  texts: readonly string[],
  { pairs = "synthetic:1x32", heldOut = [] as readonly string[] } = {},
) {
  const samples = (list: readonly string[]): Sample[] => list.map((text, i) => ({ key: String(i), texts: [text] }));
  const training: Sources["training"] = async ({ source }) =>
    sourceOf("words", samples(source === pairs ? captions : texts));
  const open: Sources["open"] = async () => sourceOf("held-out", samples(heldOut));
  const given = (source: string) => [{ source, weight: 1 }];
  const data = { pairs: given(pairs), texts: given("synthetic:2x32") };
  const evaluation = { validation: { one: "synthetic:3x32" }, test: {} };
  return uncaptionedWords(
    { data, evaluation } as unknown as Parameters<typeof uncaptionedWords>[0],
    {
      training,
      open,
    } as Sources,
  );
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
    expect(rule).toMatch(/^3 words that no training caption has, .* the 5 commonest words/);
  });

  it("takes words of held-out captions first, the commonest in the texts before the others", async () => {
    const texts = [...often("a rabbit, a rabbit, a shirt, the war, a dog"), "a zebra"];
    const { words } = await wordsOf(["a dog"], texts, { heldOut: ["a shirt", "rabbits, a rabbit", "zebra", "dog"] });
    expect(words).toEqual(["rabbit", "shirt", "war"]);
  });

  it("has none where captions are not at hand", async () => {
    expect(await wordsOf(["a dog"], often("the man"), { pairs: "no-such-folder/pairs.tar" })).toMatchObject({
      words: [],
    });
  });
});
