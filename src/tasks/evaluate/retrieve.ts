/** Zero-shot retrieval with all captions of a picture, both ways. */
import type { FlavaModel } from "../../api/index.ts";
import type { Sample, Source } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { RECALLS, type Retrieval, retrieval } from "../../evaluators/retrieval.ts";
import { pictured, type Refused, type StreamOptions } from "./streams.ts";

/** Recalls, the mean over the sources. */
export interface RetrievalResult {
  /** image_retrieval_recall@k and text_retrieval_recall@k in 0..1: CLIP_benchmark's names. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The same for a random order. */
  readonly chance: Readonly<Record<string, number>>;
  readonly samples: number;
  readonly captions: number;
  readonly refused: readonly Refused[];
}

/**
 * Each source is a gallery of its own: all its captions are candidates for each of its pictures, and the other way. A hit is any caption of
 * the picture. Samples that name a concept count one caption for each concept, as there a caption belongs to several pictures.
 */
export async function zeroShotRetrieval(
  model: FlavaModel,
  sources: readonly Source[],
  options: StreamOptions = {},
): Promise<RetrievalResult> {
  const found: Retrieval[] = [];
  const refused: Refused[] = [];
  let [samples, captions] = [0, 0];
  for (const source of sources) {
    const progress = { ...options, onProgress: (done: number) => options.onProgress?.(samples + done) };
    const images = await embedded(model, source, refused, progress);
    const texts = await embedTexts(model, images.captions, options.signal);
    const concepts = images.captions.map(({ concept }) => concept);
    found.push(await retrieval(model.device, images, { embeds: texts, concepts }));
    samples += images.concepts.length;
    captions += concepts.length;
  }
  const mean = (of: (one: Retrieval) => number): number => found.reduce((sum, one) => sum + of(one), 0) / found.length;
  return {
    metrics: named((k) => [mean((one) => one.image_retrieval_recall[k]), mean((one) => one.text_retrieval_recall[k])]),
    chance: named((k) => [mean((one) => one.chance.image[k]), mean((one) => one.chance.text[k])]),
    ...{ samples, captions, refused },
  };
}

function named(
  recall: (k: (typeof RECALLS)[number]) => readonly [image: number, text: number],
): Record<string, number> {
  return Object.fromEntries(
    RECALLS.flatMap((k) => {
      const [image, text] = recall(k);
      return [
        [`image_retrieval_recall@${k}`, image],
        [`text_retrieval_recall@${k}`, text],
      ];
    }),
  );
}

interface Caption {
  readonly text: string;
  readonly concept: string;
}

/** Pictures as rows, and the captions that belong to them; no picture is kept. */
async function embedded(model: FlavaModel, source: Source, refused: Refused[], options: StreamOptions) {
  const [rows, concepts]: [Float32Array[], string[]] = [[], []];
  const captions: Caption[] = [];
  const known = new Set<string>();
  const suits = ({ texts }: Sample): string | undefined => (texts?.length ? undefined : "the caption is missing");
  const pictures = pictured(source, suits, refused, options);
  for await (const { input, embeds, error } of model.embedImages(pictures, {
    onError: "yield",
    signal: options.signal,
  })) {
    if (error) {
      refused.push({ key: input.key, reason: error.message.split("\n")[0]! });
      continue;
    }
    const said = input.meta?.concept;
    const concept = said === undefined ? input.key : String(said);
    rows.push(embeds);
    concepts.push(concept);
    const own = said === undefined ? input.texts! : known.has(concept) ? [] : input.texts!.slice(0, 1);
    known.add(concept);
    captions.push(...own.map((text) => ({ text, concept })));
    options.onProgress?.(rows.length);
  }
  if (rows.length === 0)
    throw new DataError(
      `${source.name}: expected pictures with captions, got none`,
      refused[0] && `${refused[0].key}: ${refused[0].reason}`,
    );
  return { embeds: joined(rows), concepts, captions };
}

/** Captions that are embedded at once. */
const CAPTIONS_AT_ONCE = 4096;

async function embedTexts(model: FlavaModel, captions: readonly Caption[], signal?: AbortSignal) {
  const rows: Float32Array[] = [];
  for (let i = 0; i < captions.length; i += CAPTIONS_AT_ONCE) {
    const texts = captions.slice(i, i + CAPTIONS_AT_ONCE).map(({ text }) => text);
    const { text_embeds } = await model.encodeText(texts, { outputs: ["text_embeds"], signal });
    for (let r = 0; r < texts.length; r++) rows.push(text_embeds.row(r).slice());
  }
  return joined(rows);
}

function joined(rows: readonly Float32Array[]) {
  const E = rows[0]!.length;
  const data = new Float32Array(rows.length * E);
  for (const [i, row] of rows.entries()) data.set(row, i * E);
  return { dtype: "float32", shape: [rows.length, E], data } as const;
}
