import { describe, expect, it } from "vitest";
import { openDevice, State } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import { bertTokenizer } from "../../text/index.ts";
import { firstVectors } from "./first-vectors.ts";

const WIDTH = 8;
const vocabulary = "[PAD] [UNK] [CLS] [SEP] [MASK] cat dog tail paw fur car bus road wheel rare".split(" ");
const animals = ["cat tail fur", "dog tail fur", "cat paw", "dog paw"];
const vehicles = ["car road wheel", "bus road wheel", "car wheel", "bus road"];
const texts = Array.from({ length: 6 }, () => [...animals, ...vehicles])
  .flat()
  .concat("rare cat");

const EMBEDDINGS = "flava.text_model.embeddings.word_embeddings.weight";
const DECODER = "mlm_head.decoder.weight";

async function begun(names: readonly string[]) {
  const device = await openDevice("interpret");
  const state = new State(device);
  const shape = [vocabulary.length, WIDTH];
  for (const name of names) state.write(name, tensor("float32", shape, new Float32Array(vocabulary.length * WIDTH)));
  const said: string[] = [];
  const found = await firstVectors(
    {
      device,
      state,
      tokenizer: bertTokenizer(vocabulary),
      signal: undefined,
      note: (line) => said.push(line),
      samples: async () => texts.map((text, i) => ({ key: String(i), texts: [text] })),
    },
    1,
  );
  return { found, said };
}

const row = (t: Tensor, word: string): number[] => {
  const at = vocabulary.indexOf(word) * WIDTH;
  return Array.from(t.data.slice(at, at + WIDTH), Number);
};
const cosine = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));

describe("first vectors", () => {
  it("put words near those that keep the same company, all at one length", async () => {
    const { found, said } = await begun([EMBEDDINGS, DECODER]);
    const vectors = found[EMBEDDINGS]!;
    for (const [a, near, far] of [
      ["cat", "dog", "bus"],
      ["car", "bus", "dog"],
    ] as const)
      expect(cosine(row(vectors, a), row(vectors, near))).toBeGreaterThan(
        cosine(row(vectors, a), row(vectors, far)) + 0.3,
      );
    for (const word of ["cat", "wheel"])
      expect(Math.hypot(...row(vectors, word)) / Math.sqrt(WIDTH)).toBeCloseTo(0.05, 6);
    expect(found[DECODER]!.data).toEqual(vectors.data);
    expect(said).toEqual(["word embeddings: 9 of 15 begin by their company in 49 texts, the rarer ones at random"]);
  });

  it("leave special and rare words random, and are a function of the seed and the texts", async () => {
    const [one, other] = [await begun([EMBEDDINGS]), await begun([EMBEDDINGS])];
    expect(one.found[EMBEDDINGS]!.data).toEqual(other.found[EMBEDDINGS]!.data);
    expect(Object.keys(one.found)).toEqual([EMBEDDINGS]);
    const lengths = ["[MASK]", "[UNK]", "rare"].map((word) => Math.hypot(...row(one.found[EMBEDDINGS]!, word)));
    for (const length of lengths) expect(Math.abs(length / Math.sqrt(WIDTH) - 0.05)).toBeGreaterThan(1e-4);
  });
});
