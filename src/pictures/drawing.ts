/** What every section draws from: the model, held-out samples in shuffled order, and the folder that takes the pictures. */
import { join } from "node:path";
import { processorOf } from "../api/index.ts";
import type { EvaluationContext, Pair } from "../evaluators/index.ts";
import type { Pixels } from "../image/index.ts";
import { saveFile } from "../io/index.ts";
import { GALLERY_FOLDER } from "../record/index.ts";
import { permutation, random, type Tensor } from "../tensor/index.ts";
import { fromNormalized, picturesOf } from "./canvas.ts";
import { pngOf } from "./png.ts";

/** Words that training captions lack, and words that they have. */
export interface UncaptionedWords {
  /** The commonest first. */
  readonly words: readonly string[];
  /** The commonest words of the captions, among which neighbours are looked for. */
  readonly among: readonly string[];
  /** How the lists were made: a sentence for the page. */
  readonly rule: string;
}

/** What is drawn from, and where the pictures go. */
export interface DrawOptions {
  readonly runDir: string;
  /** The stage's name: files begin or end with it. */
  readonly stage: string;
  /** The codebook's decoder, `image_decoder.*` by name. Without it hidden patches cannot be shown. */
  readonly decoder?: Readonly<Record<string, Tensor>> | undefined;
  /** Held-out pairs, at least one. */
  readonly pairs: readonly Pair[];
  /** Held-out texts; the captions of the pairs unless given. */
  readonly texts?: readonly string[] | undefined;
  /** Words that no training caption has; without them their neighbours are not shown. */
  readonly words?: (() => Promise<UncaptionedWords>) | undefined;
}

/** What every picture section draws from and writes with. */
export interface Drawing {
  readonly context: EvaluationContext;
  readonly decoder: Readonly<Record<string, Tensor>> | undefined;
  /** All, shuffled by the seed. */
  readonly pairs: readonly Pair[];
  readonly texts: readonly string[];
  readonly words: DrawOptions["words"];
  /** Saves a picture in the gallery; resolves to its file name. */
  save(what: string, place: number, picture: Pixels): Promise<string>;
}

/** A drawing on the held-out pairs and texts of a stage. */
export function openDrawing(context: EvaluationContext, options: DrawOptions): Drawing {
  const { seed, signal } = context;
  const texts = options.texts ?? options.pairs.map(({ caption }) => caption);
  return {
    context,
    decoder: options.decoder,
    pairs: shuffled(options.pairs, seed),
    texts: shuffled(texts, seed),
    words: options.words,
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
  const { pixel_values } = await processorOf(context).images(distinct);
  const files = new Map<Pair, string>();
  for (const [i, picture] of picturesOf(pixel_values, fromNormalized).entries())
    files.set(distinct[i]!, await save("seen", pairs.indexOf(distinct[i]!), picture));
  return files;
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  return Array.from(permutation(list.length, random(seed, "pictures")), (i) => list[i]!);
}
