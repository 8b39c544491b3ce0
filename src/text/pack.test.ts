import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { packSource, splitSentences } from "../data/loader/pack-source.ts";
import type { Cursor, SampleOptions, Source } from "../data/sources/source.ts";
import { loadBertTokenizer } from "./load.node.ts";
import { type BreakMode, type PackedBlock, type PackItem, packSentences } from "./pack.ts";
import type { TextTokenizer } from "./tokenizer.ts";

const special = { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
const MODES: readonly BreakMode[] = ["complete", "complete_doc", "none"];

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

/** Items whose cursor is how many have been read; ids count up from 10 so that each token is told apart. */
function itemsOf(sizes: readonly (readonly number[])[], documents?: readonly string[]): PackItem<number>[] {
  let next = 10;
  return sizes.map((lengths, i) => ({
    sentences: lengths.map((length) => Array.from({ length }, () => next++)),
    document: documents?.[i],
    cursor: i + 1,
  }));
}

const tokensOf = (blocks: readonly PackedBlock<number>[]): number[] =>
  blocks.flatMap(({ inputIds }) => Array.from(inputIds).filter((id) => id >= 10));

describe("packSentences", () => {
  const items = itemsOf([[2, 3], [4], [1]], ["a", "a", "b"]); // ids 10 11 | 12 13 14 | 15 16 17 18 | 19

  it("complete: ends blocks after whole sentences, with [SEP] where the document changes", async () => {
    const blocks = await collect(packSentences(items, { length: 8, special }));
    expect(blocks.map(({ inputIds }) => Array.from(inputIds))).toEqual([
      [2, 10, 11, 12, 13, 14, 3, 0],
      [2, 15, 16, 17, 18, 3, 19, 3],
    ]);
    expect(Array.from(blocks[0]!.attentionMask)).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
    expect(blocks.map(({ cursor }) => cursor)).toEqual([
      { after: 1, sentence: 0, token: 0 },
      { after: 3, sentence: 0, token: 0 },
    ]);
  });

  it("complete_doc: also ends a block with its document", async () => {
    const blocks = await collect(packSentences(items, { length: 12, special, breakMode: "complete_doc" }));
    expect(blocks.map(({ inputIds }) => Array.from(inputIds))).toEqual([
      [2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 3, 0],
      [2, 19, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  });

  it("none: fills blocks to the last token", async () => {
    const blocks = await collect(packSentences(items, { length: 6, special, breakMode: "none" }));
    expect(blocks.map(({ inputIds }) => Array.from(inputIds))).toEqual([
      [2, 10, 11, 12, 13, 3],
      [2, 14, 15, 16, 17, 3],
      [2, 18, 3, 19, 3, 0],
    ]);
  });

  it("cuts a sentence that is longer than a block, without loss", async () => {
    const blocks = await collect(packSentences(itemsOf([[7]]), { length: 5, special }));
    expect(blocks.map(({ inputIds }) => Array.from(inputIds))).toEqual([
      [2, 10, 11, 12, 3],
      [2, 13, 14, 15, 3],
      [2, 16, 3, 0, 0],
    ]);
    expect(blocks[0]!.cursor).toEqual({ after: null, sentence: 0, token: 3 });
  });

  const anySizes = fc.array(fc.array(fc.nat({ max: 12 }), { maxLength: 4 }), { maxLength: 20 });

  it("loses and repeats no token, in any mode, and splits only sentences that no block holds", async () => {
    const holds = fc.asyncProperty(
      anySizes,
      fc.constantFrom(...MODES),
      fc.integer({ min: 3, max: 12 }),
      async (sizes, breakMode, length) => {
        const all = itemsOf(
          sizes,
          sizes.map((_, i) => `d${i >> 1}`),
        );
        const blocks = await collect(packSentences(all, { length, special, breakMode }));
        expect(tokensOf(blocks)).toEqual(all.flatMap((item) => item.sentences.flatMap((ids) => Array.from(ids))));
        for (const { inputIds, attentionMask } of blocks) {
          const used = attentionMask.reduce((sum, one) => sum + one, 0);
          expect(inputIds.length).toBe(length);
          expect([inputIds[0], inputIds[used - 1]]).toEqual([special.cls, special.sep]);
          expect(Array.from(inputIds.subarray(used))).toEqual(Array(length - used).fill(special.pad));
        }
        if (breakMode === "none") return;
        const blockOf = new Map(blocks.flatMap(({ inputIds }, b) => Array.from(inputIds, (id) => [id, b] as const)));
        for (const ids of all.flatMap((item) => item.sentences)) {
          const within = new Set(Array.from(ids, (id) => blockOf.get(id)));
          if (ids.length <= length - 2) expect(within.size).toBeLessThanOrEqual(1);
        }
      },
    );
    await fc.assert(holds, { numRuns: 200 });
  });

  it("continues from the cursor of any block with exactly the remaining blocks", async () => {
    const holds = fc.asyncProperty(
      anySizes,
      fc.constantFrom(...MODES),
      fc.integer({ min: 3, max: 12 }),
      async (sizes, breakMode, length) => {
        const all = itemsOf(
          sizes,
          sizes.map((_, i) => `d${i >> 1}`),
        );
        const options = { length, special, breakMode };
        const blocks = await collect(packSentences(all, options));
        for (const [i, { cursor }] of blocks.entries()) {
          const rest = await collect(packSentences(all.slice(cursor.after ?? 0), { ...options, cursor }));
          expect(rest).toEqual(blocks.slice(i + 1));
        }
      },
    );
    await fc.assert(holds, { numRuns: 60 });
  });

  it("refuses a length without room for a token", async () => {
    await expect(collect(packSentences(items, { length: 2, special }))).rejects.toThrow(/at least 3/);
  });
});

describe("packSource", () => {
  let tokenizer: TextTokenizer;
  beforeAll(async () => {
    tokenizer = await loadBertTokenizer();
  });

  const texts = ["A cat sat. A dog ran!", "The end", "", "Flamingos are pink. So are roses.\nThird line"];
  const source: Source = {
    name: "memory",
    async *samples({ cursor }: SampleOptions = {}) {
      for (let i = cursor === undefined ? 0 : Number(cursor); i < texts.length; i++) {
        yield {
          sample: { key: `${i}`, texts: [texts[i]!], meta: { document: i < 2 ? "x" : "y" } },
          cursor: (i + 1) as Cursor,
        };
      }
    },
  };

  it("packs the sentences of the samples, by document", async () => {
    const blocks = await collect(packSource(source, tokenizer, { length: 16 }));
    const read = blocks.map(({ inputIds }) =>
      tokenizer.decode(inputIds, { skipSpecialTokens: false }).replaceAll(" [PAD]", ""),
    );
    expect(read).toEqual([
      "[CLS] a cat sat. a dog ran! the end [SEP]",
      "[CLS] flamingos are pink. so are roses. third line [SEP]",
    ]);
  });

  it("continues from a cursor that went through JSON", async () => {
    const blocks = await collect(packSource(source, tokenizer, { length: 7 }));
    expect(blocks.length).toBeGreaterThan(4);
    for (const [i, { cursor }] of blocks.entries()) {
      const saved = JSON.parse(JSON.stringify(cursor)) as Cursor;
      expect(await collect(packSource(source, tokenizer, { length: 7, cursor: saved }))).toEqual(blocks.slice(i + 1));
    }
    await expect(collect(packSource(source, tokenizer, { length: 7, cursor: 3 }))).rejects.toThrow(
      /cursor of packed blocks, got 3/,
    );
  });

  it("splits text at lines and sentence ends", () => {
    expect(splitSentences("One. Two!  Three?\n\nFour\r\nFive")).toEqual(["One.", "Two!", "Three?", "Four", "Five"]);
    expect(splitSentences(" \n ")).toEqual([]);
  });
});
