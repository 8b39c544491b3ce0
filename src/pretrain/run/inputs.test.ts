import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RECIPE } from "../../../test/support/stage-case.ts";
import { parseRecipe } from "../recipe/index.ts";
import { createSources, runTokenizer } from "./inputs.ts";

const dir = await mkdtemp(join(tmpdir(), "flava-inputs-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("runTokenizer", () => {
  it("caption-words: the words of the captions, read back the same from the run's folder", async () => {
    const stages = { text: { kind: "text-mlm", steps: 1, batchSize: 2, textLength: 12 } };
    const recipe = parseRecipe({ ...RECIPE, vocabulary: { kind: "caption-words" }, stages });
    const sources = createSources(recipe);
    const captions: string[] = [];
    for await (const { sample } of (await sources.open(recipe.data.pairs[0]!.source)).samples())
      captions.push(...(sample.texts ?? []));
    const words = new Set(captions.flatMap((caption) => caption.toLowerCase().match(/[a-z0-9]+/g) ?? []));

    const notes: string[] = [];
    const path = join(dir, "tokenizer.json");
    const made = await runTokenizer(recipe, sources, path, { note: (line) => notes.push(line) });
    expect(new Set(made.vocabulary.slice(5))).toEqual(words);
    expect(notes.at(-1)).toMatch(new RegExp(`^vocabulary: ${words.size + 5} entries, from \\d+ captions`));
    const read = await runTokenizer(recipe, sources, path, { note: () => expect.unreachable("it was kept") });
    const text = `an unheard ${captions[0]}`;
    expect(read.ids(text)).toEqual(made.ids(text));
    expect(read.ids("unheard")).toEqual([]);
  });
});
