/** A text in two: what is read and what is predicted. */
import { describe, expect, it } from "vitest";
import { bertTokenizer, SPECIAL_TOKENS } from "../../text/index.ts";
import { allocateRows, createBuilder, joinRows } from "./index.ts";

const tokenizer = bertTokenizer([...SPECIAL_TOKENS, "a", "red", "fish", "swims"]);
const { cls, sep, pad } = tokenizer.special;
const [A, RED, FISH, SWIMS] = ["a", "red", "fish", "swims"].map((word) => tokenizer.ids(word)[0]!) as number[];

/** The rows of one text under so many draws, as lists. */
function rowsOf(text: string, least: number, draws: number) {
  const { fields, encode } = createBuilder(
    { kind: "text", text: { length: 8, mask: null, prefix: { least } } },
    tokenizer,
  );
  const rows = allocateRows(fields, draws);
  for (let row = 0; row < draws; row++)
    encode({ key: "k", text, draw: { seed: 1, stream: "s", epoch: 0, ordinal: row } }, undefined, rows, row);
  const feeds = joinRows(fields, [{ rows, from: 0, to: draws }]);
  const row = (name: string, i: number): number[] => {
    const { data, shape } = feeds[name]!;
    return Array.from(data.subarray(i * shape[1]!, (i + 1) * shape[1]!), Number);
  };
  return Array.from({ length: draws }, (_, i) => ({
    prefix: row("prefix_ids", i),
    mask: row("prefix_mask", i),
    inputs: row("decoder_ids", i),
    labels: row("decoder_labels", i),
  }));
}

describe("a text cut in two", () => {
  const x = [A, RED, FISH, SWIMS, sep];
  it("is read up to a place and predicted from there to its end", () => {
    const seen = new Set<number>();
    for (const { prefix, mask, inputs, labels } of rowsOf("a red fish swims", 0, 60)) {
      const p = mask.filter((m) => m === 1).length;
      seen.add(p);
      expect(prefix).toEqual([...x.slice(0, p), ...new Array(6 - p).fill(pad)]);
      expect(inputs.slice(0, 5 - p)).toEqual([cls, ...x.slice(p, 4)]);
      expect(labels).toEqual([...x.slice(p), ...new Array(2 + p).fill(-100)]);
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
  });
  it("leaves as many tokens to be read as asked, where there are more", () => {
    expect(rowsOf("a red", 1, 40).every(({ mask }) => mask[0] === 1)).toBe(true);
    const [empty] = rowsOf("", 1, 1);
    expect(empty).toMatchObject({ mask: new Array(6).fill(0), labels: [sep, ...new Array(6).fill(-100)] });
  });
  it("is cut with all its places full", () => {
    for (const { labels, inputs } of rowsOf("a red fish swims a red fish swims", 0, 30)) {
      expect(labels.filter((id) => id === sep)).toEqual([sep]);
      expect(inputs[0]).toBe(cls);
    }
  });
});
