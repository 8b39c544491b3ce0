/** Pictures of one colour, and a model that sees colours: enough to test what is around a model. */
import type { Encoder } from "../../src/collections/index.ts";

type Colour = readonly [red: number, green: number, blue: number];

export const COLOURS: Readonly<Record<string, Colour>> = {
  red: [250, 5, 5],
  green: [5, 250, 5],
  blue: [5, 5, 250],
  yellow: [250, 250, 5],
};

/** A PPM of one colour; `mark` makes files of one colour differ. */
export function colourPicture([r, g, b]: Colour, mark = 0): Uint8Array {
  const head = new TextEncoder().encode(`P6\n# ${mark}\n4 4\n255\n`);
  const data = Uint8Array.from({ length: 48 }, (_, i) => [r, g, b][i % 3]!);
  return Uint8Array.from([...head, ...data]);
}

/** Rows of length 1: the mean colour of a picture, or the colour that a text names. Counts what it is asked. */
export function colourEncoder(identity = "c010".repeat(16)): Encoder & { seen: { pictures: number; batches: number } } {
  const seen = { pictures: 0, batches: 0 };
  const unit = (row: readonly number[]): number[] => row.map((x) => x / Math.hypot(...row));
  return {
    seen,
    identity,
    width: 3,
    batchSize: 4,
    build: { size: 2, codebookSize: 2, augment: null, mask: null },
    async images({ shape: [n = 0], data }) {
      seen.pictures += n;
      seen.batches++;
      const light = Array.from({ length: 3 * n }, (_, i) => data[4 * i]! + 2);
      return new Float32Array(Array.from({ length: n }, (_, i) => unit(light.slice(3 * i, 3 * i + 3))).flat());
    },
    texts: async (texts) => new Float32Array(texts.flatMap((text) => unit(COLOURS[text] ?? [1, 1, 1]))),
  };
}
