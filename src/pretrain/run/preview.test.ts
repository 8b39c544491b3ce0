import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { RECIPE } from "../../../test/support/stage-case.ts";
import { describePlan, formatPlan, parseRecipe } from "../recipe/index.ts";
import { createSources, runTokenizer } from "./inputs.ts";
import { previewRun } from "./preview.ts";
import { repeatsIn } from "./warnings.ts";

const dir = await mkdtemp(join(tmpdir(), "flava-preview-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const TEXT = { kind: "text-mlm", steps: 10, batchSize: 4, textLength: 12, schedule: { warmupSteps: 11 } };
const recipe = (data: object, more: object = {}) =>
  parseRecipe({
    ...RECIPE,
    runDir: join(dir, "run"),
    vocabulary: { kind: "reduced" },
    data,
    stages: { text: TEXT },
    ...more,
  });
const preview = async (data: object, more: object = {}) => {
  const notes: string[] = [];
  return { ...(await previewRun(recipe(data, more), { note: (line) => notes.push(line) })), notes };
};

it("counts the words that the run will have", async () => {
  const given = recipe({ texts: "synthetic:6" });
  const { words, recipe: counted } = await previewRun(given, { note: () => undefined });
  const made = await runTokenizer(given, createSources(given), join(dir, "tokenizer.json"), { note: () => undefined });
  expect(words).toBe(made.vocabSize);
  expect(words).toBeLessThan(1000);
  expect(counted.model.text.vocabSize).toBe(words);
  expect(formatPlan(await describePlan(counted, { words }))).toMatch(new RegExp(`words: ${words}$`, "m"));
});

it("says of words that nobody can count yet what it takes instead, and what is not at hand", async () => {
  const {
    words,
    recipe: same,
    notes,
  } = await preview({ texts: ["synthetic:6", "text:https://example.org/texts.txt"] });
  expect(words).toBeUndefined();
  expect(notes).toEqual([expect.stringMatching(/^not at hand, and so not counted: .*texts\.txt$/)]);
  expect(formatPlan(await describePlan(same, { words }))).toMatch(
    /as many as the texts use \(not known yet: below, [\d,]+\)/,
  );
});

it("warns of a warm-up that the stage does not outlast and of batches that repeat samples", async () => {
  const few = await preview({
    texts: [
      { source: "synthetic:1", weight: 3 },
      { source: "synthetic:6", weight: 1 },
    ],
  });
  expect(few.warnings.text).toEqual([
    "the warm-up of 11 steps is not over when the stage ends, after 10: the learning rate does not reach 0.001",
    "synthetic:1 (texts) holds one sample, and a batch draws about 3 of them: batches repeat samples",
  ]);
  const enough = { ...TEXT, schedule: { warmupSteps: 10 } };
  expect((await preview({ texts: "synthetic:4" }, { stages: { text: enough } })).warnings.text).toEqual([]);
});

it("takes the tokenizer that the run's folder keeps", async () => {
  const given = recipe({ texts: "synthetic:6" });
  const path = join(given.runDir, "tokenizer.json");
  const kept = await runTokenizer(recipe({ texts: "synthetic:3" }), createSources(given), path, {
    note: () => undefined,
  });
  await writeFile(join(dir, "note"), "");
  expect((await previewRun(given, { note: () => undefined })).words).toBe(kept.vocabSize);
});

it("counts the words that the vocabulary lacks in each set, the held-out ones too, and says them in the plan", async () => {
  const [pairs, held] = ["pairs.csv", "held.txt"].map((name) => join(dir, name)) as [string, string];
  for (const name of ["a.png", "b.png"]) await writeFile(join(dir, name), "a picture");
  await writeFile(pairs, "image,caption\na.png,a red circle\nb.png,a blue circle\n");
  await writeFile(held, "a Quokka beside a quokka\n".repeat(2001));
  await writeFile(
    join(dir, "vocab.txt"),
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "circle"].join("\n"),
  );
  const { coverage, recipe: given } = await preview(
    { pairs, texts: ["synthetic:6", "text:https://example.org/texts.txt"] },
    {
      runDir: join(dir, "other"),
      vocabulary: { kind: "file", path: join(dir, "vocab.txt") },
      evaluation: { texts: [held] },
    },
  );
  expect(Object.keys(coverage)).toEqual([`pairs ${pairs}`, "texts synthetic:6", `held-out texts ${held}`]);
  expect(coverage[`pairs ${pairs}`]).toEqual({
    texts: 2,
    words: 6,
    unknown: 1,
    unknownShare: 1 / 6,
    unreadable: 0,
    commonest: [{ word: "blue", count: 1 }],
  });
  expect(coverage[`held-out texts ${held}`]).toMatchObject({
    texts: 2000,
    firstSamples: 2000,
    commonest: [
      { word: "quokka", count: 4000 },
      { word: "beside", count: 2000 },
    ],
  });
  expect(formatPlan(await describePlan(given, { coverage }))).toMatch(
    /^unknown words +pairs .*: 17 % of 6 words, the commonest: blue \(1\)$/m,
  );
});

it("notices a first batch that holds the same samples again", () => {
  const keys = Array.from({ length: 512 }, (_, i) => `line ${i % 40}`);
  expect(repeatsIn(keys)).toMatch(/^472 of the 512 rows of the first batch repeat samples/);
  expect(repeatsIn(keys.slice(0, 44))).toBeUndefined();
  expect(repeatsIn(keys.slice(0, 45))).toMatch(/^5 of the 45 rows/);
});
