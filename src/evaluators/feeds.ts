/** Any batch that `data/` can build, of samples that are already read: masked ones above all. */
import { allocateRows, type BatchBuild, type BatchItem, createBuilder, joinRows } from "../data/index.ts";
import { decodeImage } from "../image/index.ts";
import type { Feeds } from "../tensor/index.ts";
import type { EvaluationContext } from "./evaluator.ts";

/** Draws (masks) are a function of `seed` and of the sample's number, `first` + its place in the list. */
export async function builtFeeds(
  build: BatchBuild,
  of: Partial<Pick<EvaluationContext, "tokenizer" | "signal" | "seed">> & { readonly first?: number },
  samples: readonly Omit<BatchItem, "draw">[],
): Promise<Feeds> {
  const { tokenizer, signal, seed = 0, first = 0 } = of;
  const { fields, needsImage, encode } = createBuilder(build, tokenizer);
  const rows = allocateRows(fields, samples.length);
  for (const [row, sample] of samples.entries()) {
    const { key, image, regions } = sample;
    const pixels =
      needsImage && image && !regions ? await decodeImage(image, { key, ...(signal && { signal }) }) : undefined;
    const draw = { seed, stream: "evaluation", epoch: 0, ordinal: first + row };
    encode({ ...sample, draw }, pixels, rows, row);
  }
  return joinRows(fields, [{ rows, from: 0, to: samples.length }]);
}
