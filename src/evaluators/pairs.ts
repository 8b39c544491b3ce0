/**
 * The evaluator of a set of pairs: zero-shot retrieval both ways (arXiv:2112.04482 §4), image–text matching against hard
 * negatives, and masked multimodal modelling.
 */

import { FlavaModel, type Picture } from "../api/index.ts";
import type { Device } from "../runtime/index.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import { type Gallery, galleries, hardNegatives } from "./galleries.ts";
import { createMaskedPairs, type MaskedPairOptions } from "./masked-pairs.ts";
import type { PairSet } from "./pair-set.ts";
import { type Embedded, RECALLS, type Retrieval, retrieval, scores } from "./retrieval.ts";

/** A set of pairs, and what is measured on it. */
export interface PairsOptions {
  /** The set's; metrics start with it. */
  readonly name: string;
  readonly pairs: PairSet;
  /** Tokens of a caption that is masked; retrieval and matching read captions as far as the model does. */
  readonly textLength: number;
  readonly retrieval: boolean;
  readonly matching: boolean;
  /** How pairs are masked, and which heads are measured; absent: none. */
  readonly masked?: Omit<MaskedPairOptions, "textLength">;
}

/** A gallery with its embeddings; without them where the model has no contrastive space. */
interface Compared {
  readonly gallery: Gallery;
  readonly images?: Embedded;
  readonly texts?: Embedded;
}

type Metric = readonly [metric: string, value: number];

/**
 * `i2t_r1`, `i2t_r5`, `i2t_r10`, `t2i_r1`, … : recall at 1, 5 and 10, exact, the mean over galleries (styles of the starter
 * data). `itm_accuracy`: each picture once with its caption and once with a hard negative. `mmm_text_accuracy`,
 * `mmm_image_accuracy`: of masked tokens and patches. Of a model that writes captions `caption_loss`, nats a token, and
 * `caption_accuracy`: the caption is likelier than the hard negative. What the model has no head for is left out.
 */
export function createPairs(context: EvaluationContext, options: PairsOptions): Evaluator {
  const { name, pairs, textLength } = options;
  const { seed } = context;
  const open = () => ({
    asked: FlavaModel.of(context),
    masked: options.masked && createMaskedPairs(context, { ...options.masked, textLength }),
  });
  let parts: ReturnType<typeof open> | undefined;
  const chance: Record<string, number> = {};

  return {
    name,
    chance,
    async *run(_step, signal = context.signal) {
      parts ??= open();
      const { asked, masked } = parts;
      const set = await pairs();
      const compared: Compared[] = [];
      const embeds = options.retrieval && asked.gives("image_embeds") && asked.gives("text_embeds");
      for (const gallery of galleries(set))
        compared.push(embeds ? await embedGallery(asked, gallery, signal) : { gallery });
      yield* retrievalMetrics(await recallsOf(context.device, compared), chance);
      if (options.matching && asked.gives("itm_logits")) {
        const matches = compared.flatMap((each) => matchesOf(each, seed));
        chance.itm_accuracy = 0.5;
        if (matches.length > 0) yield ["itm_accuracy", accuracyOf(matches, await saidToMatch(asked, matches, signal))];
      }
      if (asked.gives("caption_log_likelihood"))
        yield* likelihoodMetrics(
          asked,
          compared.flatMap((each) => matchesOf(each, seed)),
          { chance, signal },
        );
      for (const [head, found] of Object.entries((await masked?.measure(set, signal)) ?? {})) {
        chance[`mmm_${head}_accuracy`] = found.majority;
        yield [`mmm_${head}_accuracy`, found.accuracy];
      }
    },
    dispose() {
      for (const part of Object.values(parts ?? {})) part?.dispose();
    },
  };
}

async function embedGallery(asked: FlavaModel, gallery: Gallery, signal: AbortSignal | undefined): Promise<Compared> {
  const texts = gallery.texts.map(({ text }) => text);
  const { image_embeds } = await asked.encodeImage(gallery.pairs, { outputs: ["image_embeds"], signal });
  const { text_embeds } = await asked.encodeText(texts, { outputs: ["text_embeds"], signal });
  return {
    gallery,
    images: { embeds: image_embeds, concepts: gallery.pairs.map(({ concept }) => concept) },
    texts: { embeds: text_embeds, concepts: gallery.texts.map(({ concept }) => concept) },
  };
}

async function recallsOf(device: Device, compared: readonly Compared[]): Promise<Retrieval[]> {
  const found: Retrieval[] = [];
  for (const { images, texts } of compared) if (images && texts) found.push(await retrieval(device, images, texts));
  return found;
}

/** The mean over galleries; chance levels go into `chance`. */
function* retrievalMetrics(found: readonly Retrieval[], chance: Record<string, number>): Generator<Metric> {
  if (found.length === 0) return;
  const mean = (of: (r: Retrieval) => number): number => found.reduce((sum, r) => sum + of(r), 0) / found.length;
  for (const k of RECALLS) chance[`i2t_r${k}`] = mean((r) => r.chance.text[k]);
  for (const k of RECALLS) chance[`t2i_r${k}`] = mean((r) => r.chance.image[k]);
  for (const k of RECALLS) yield [`i2t_r${k}`, mean((r) => r.text_retrieval_recall[k])];
  for (const k of RECALLS) yield [`t2i_r${k}`, mean((r) => r.image_retrieval_recall[k])];
}

/** A picture with a caption, and whether it is its own. */
interface Match {
  readonly picture: Picture;
  readonly text: string;
  readonly matched: boolean;
}

/** For each, whether the head says that it matches. */
async function saidToMatch(asked: FlavaModel, matches: readonly Match[], signal?: AbortSignal): Promise<boolean[]> {
  const pictures = matches.map(({ picture }) => picture);
  const texts = matches.map(({ text }) => text);
  return (await asked.match(pictures, texts, { signal })).map((probability) => probability > 0.5);
}

/** Each right caption with the wrong one behind it. */
async function* likelihoodMetrics(
  asked: FlavaModel,
  matches: readonly Match[],
  { chance, signal }: { readonly chance: Record<string, number>; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Metric> {
  if (matches.length === 0) return;
  const found = await asked.encodePair(
    matches.map(({ picture }) => picture),
    matches.map(({ text }) => text),
    { outputs: ["caption_log_likelihood"], signal },
  );
  const said = Array.from(found.caption_log_likelihood.data, Number);
  const own = said.filter((_, i) => matches[i]!.matched);
  chance.caption_loss = Math.log(asked.model.texts!.vocabSize);
  chance.caption_accuracy = 0.5;
  yield ["caption_loss", -own.reduce((a, b) => a + b) / own.length];
  yield ["caption_accuracy", own.filter((x, i) => x > said[2 * i + 1]!).length / own.length];
}

/** Share of right answers. */
const accuracyOf = (matches: readonly Match[], said: readonly boolean[]): number =>
  matches.filter(({ matched }, i) => matched === said[i]).length / matches.length;

/** Each picture of a gallery with its own caption and with a wrong one: as many matched as not. */
function matchesOf({ gallery, images, texts }: Compared, seed: number): Match[] {
  const rowOf = (i: number): Float32Array => scores(row(images!, i), texts!.embeds);
  const negatives = hardNegatives(gallery, seed, images && texts ? rowOf : undefined);
  return gallery.pairs.flatMap((pair, i): Match[] => {
    const negative = negatives[i];
    if (negative === undefined) return [];
    return [
      { picture: pair, text: pair.caption, matched: true },
      { picture: pair, text: negative, matched: false },
    ];
  });
}

function row({ embeds }: Embedded, i: number): Embedded["embeds"] {
  const E = embeds.shape[1]!;
  return { ...embeds, shape: [1, E], data: embeds.data.subarray(i * E, (i + 1) * E) };
}
