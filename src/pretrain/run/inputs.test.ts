import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RECIPE } from "../../../test/support/stage-case.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../text/index.ts";
import { loadTokenizer } from "../../text/load.node.ts";
import { parseRecipe } from "../recipe/index.ts";
import { createSources, runTokenizer } from "./inputs.ts";

const dir = await mkdtemp(join(tmpdir(), "flava-inputs-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const stages = { text: { kind: "text-mlm", steps: 1, batchSize: 2, textLength: 12 } };

describe("runTokenizer", () => {
  it("file: the words of another model, in their order", async () => {
    const old = bertTokenizer([...SPECIAL_TOKENS, "circle", "banana"]);
    const path = join(dir, "old.json");
    await writeFile(path, JSON.stringify(old.json));
    const recipe = parseRecipe({ ...RECIPE, vocabulary: { path }, stages });
    expect(recipe.vocabulary).toMatchObject({ kind: "file", path });
    const kept = join(dir, "file", "tokenizer.json");
    const notes: string[] = [];
    const made = await runTokenizer(recipe, createSources(recipe), kept, { note: (line) => notes.push(line) });
    expect(made.vocabulary).toEqual(old.vocabulary);
    expect(notes).toEqual([`vocabulary: 7 entries, those of ${path}`]);
    expect((await loadTokenizer(kept)).vocabulary).toEqual(old.vocabulary);
  });

  it.each([
    [{ kind: "file" }, /kind "file" needs the path of a tokenizer\n.*vocabulary\.path/],
    [{ kind: "full", path: "x" }, /kind "full" takes no path of a tokenizer\n.*vocabulary\.path/],
  ])("refuses %j", (vocabulary, message) => {
    expect(() => parseRecipe({ ...RECIPE, vocabulary, stages })).toThrow(message);
  });

  it("reduced: what captions and texts use, read back the same from the run's folder", async () => {
    const vocabulary = { kind: "reduced", minCount: 1_000_000, minCaptionCount: 1 };
    const recipe = parseRecipe({ ...RECIPE, vocabulary, stages });
    const sources = createSources(recipe);
    const captions: string[] = [];
    for await (const { sample } of (await sources.open(recipe.data.pairs[0]!.source)).samples())
      captions.push(...(sample.texts ?? []));
    const words = new Set(captions.flatMap((caption) => caption.toLowerCase().match(/[a-z0-9]+/g) ?? []));

    const notes: string[] = [];
    const path = join(dir, "tokenizer.json");
    const made = await runTokenizer(recipe, sources, path, { note: (line) => notes.push(line) });
    expect([...words].filter((word) => !made.vocabulary.includes(word))).toEqual([]);
    expect(notes.at(-1)).toMatch(new RegExp(`^vocabulary: ${made.vocabSize} entries, from \\d+ different captions`));
    const read = await runTokenizer(recipe, sources, path, { note: () => expect.unreachable("it was kept") });
    const text = `an unheard ${captions[0]}`;
    expect(read.ids(text)).toEqual(made.ids(text));
    expect(read.ids("unheard")).not.toContain(read.special.unk);
  });
});
