/** Pictures by their names, paths or addresses, to rows. */
import { mapAhead } from "./ahead.ts";
import { type EmbedOptions, embedPictures, type Loaded, type Outcome } from "./embed-pictures.ts";
import type { Encoder } from "./encoder.ts";
import { loadInput } from "./inputs/index.ts";

/** A picture that is to be embedded. */
export interface Named<T> {
  readonly item: T;
  /** What messages call it. */
  readonly key: string;
  /** A path or an http(s) address. */
  readonly image: string;
}

/** So few pictures are done before threads have started, and before anybody wants to see progress. */
export const FEW_PICTURES = 16;
const READS_AHEAD = 16;

/** As `embedPictures`; files are read ahead. What cannot be read is an outcome with a reason. */
export async function* embedNamed<T>(
  pictures: readonly Named<T>[],
  encoder: Encoder,
  { workers, signal }: EmbedOptions = {},
): AsyncGenerator<Outcome<T>[]> {
  if (pictures.length === 0) return;
  const loaded = mapAhead(pictures, READS_AHEAD, async ({ item, key, image }): Promise<Loaded<T>> => {
    const bytes = await loadInput(image, signal);
    return typeof bytes === "string" ? { item, key, reason: bytes } : { item, key, image: bytes };
  });
  yield* embedPictures(loaded, encoder, { workers: pictures.length <= FEW_PICTURES ? 0 : workers, signal });
}
