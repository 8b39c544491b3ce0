/** What every section draws from: the model, held-out samples in the order of a lot, and the folder that takes the pictures. */
import { join } from "node:path";
import type { EvaluationContext } from "../api/context.ts";
import { imageFeeds, type Pair } from "../evaluators/pair-set.ts";
import type { Pixels } from "../image/index.ts";
import { saveFile } from "../io/index.ts";
import type { Stage } from "../pretrain/recipe/index.ts";
import { GALLERY_FOLDER } from "../record/index.ts";
import { permutation, random, type Tensor } from "../tensor/index.ts";
import { fromNormalized, picturesOf, pngOf } from "./canvas.ts";

export interface DrawOptions {
  readonly runDir: string;
  /** The name of a stage of `context.recipe`. */
  readonly stage: string;
  /** The codebook's decoder, `image_decoder.*` by name. Without it hidden patches cannot be shown. */
  readonly decoder?: Readonly<Record<string, Tensor>> | undefined;
  /** Held-out pairs, at least one. */
  readonly pairs: readonly Pair[];
  /** Held-out texts for a text stage; the captions of the pairs unless given. */
  readonly texts?: readonly string[] | undefined;
}

export interface Drawing<S extends Stage = Stage> {
  readonly context: EvaluationContext;
  readonly stage: S;
  readonly decoder: Readonly<Record<string, Tensor>> | undefined;
  /** All, in the order of a lot that the recipe's seed draws. */
  readonly pairs: readonly Pair[];
  readonly texts: readonly string[];
  /** Saves a picture in the gallery; resolves to its file name. */
  save(what: string, place: number, picture: Pixels): Promise<string>;
}

export function openDrawing<S extends Stage>(context: EvaluationContext, stage: S, options: DrawOptions): Drawing<S> {
  const { recipe, signal } = context;
  const texts = options.texts ?? options.pairs.map(({ caption }) => caption);
  return {
    context,
    stage,
    decoder: options.decoder,
    pairs: byLot(options.pairs, recipe.seed),
    texts: byLot(texts, recipe.seed),
    save: async (what, place, picture) => {
      const file = `${options.stage}-${what}-${place}.png`;
      await saveFile(join(options.runDir, GALLERY_FOLDER, file), await pngOf(picture), { signal });
      return file;
    },
  };
}

/** Pictures as the image encoder sees them: the file names by pair. */
export async function saveSeen(
  { context, pairs, save }: Pick<Drawing, "context" | "pairs" | "save">,
  some: readonly Pair[],
): Promise<Map<Pair, string>> {
  const distinct = [...new Set(some)];
  const { pixel_values } = await imageFeeds(context, distinct);
  const files = new Map<Pair, string>();
  for (const [i, picture] of picturesOf(pixel_values!, fromNormalized).entries())
    files.set(distinct[i]!, await save("seen", pairs.indexOf(distinct[i]!), picture));
  return files;
}

function byLot<T>(list: readonly T[], seed: number): T[] {
  return Array.from(permutation(list.length, random(seed, "pictures")), (i) => list[i]!);
}
