import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSource, type Source } from "../data/index.ts";
import { readUnigram } from "./unigram.ts";

const folder = await mkdtemp(join(tmpdir(), "flava-unigram-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Letters are tokens. */
const tokenizer = { vocabSize: 3, ids: (text: string) => [...text].map((letter) => "abc".indexOf(letter)) };
const source = async (lines: readonly string[]): Promise<Source> => {
  const path = join(folder, `${lines.length}.txt`);
  await writeFile(path, lines.join("\n"));
  return openSource(path);
};

describe("readUnigram", () => {
  it("counts tokens of all sources, each entry once more than it occurs", async () => {
    const loss = await readUnigram([await source(["ab", "a"]), await source(["a"])], tokenizer);
    expect([0, 1, 2].map(loss)).toEqual([4 / 7, 2 / 7, 1 / 7].map((share) => -Math.log(share)));
    expect((await readUnigram([], tokenizer))(2)).toBeCloseTo(Math.log(3), 12);
  });

  it("counts every eighth text after the first 20,000, up to 200,000", async () => {
    const lines = Array.from({ length: 200_100 }, (_, i) => (i < 20_000 ? "a" : i < 200_000 ? "b" : "c"));
    const loss = await readUnigram([await source(lines)], tokenizer);
    expect([0, 1, 2].map(loss)).toEqual([20_001, 180_000 / 8 + 1, 1].map((count) => -Math.log(count / 42_503)));
  });
});
