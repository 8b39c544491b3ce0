/** The three losses of ALBEF on one batch of pairs, step by step as in salesforce/ALBEF, models/model_pretrain.py (arXiv:2107.07651 §3.2–3.3). */
import {
  add,
  allGather,
  broadcastTo,
  cast,
  concat,
  constant,
  equal,
  gather,
  mul,
  reshape,
  slice,
  stopGradient,
  sub,
  sum,
  type Value,
} from "../../graph/index.ts";
import {
  type AlbefBatch,
  type AlbefConfig,
  albefEmbeds,
  albefFuse,
  albefImage,
  albefMasked,
  albefMatching,
  albefTemperature,
  albefText,
  type Whose,
} from "../../models/albef/index.ts";
import { maskedTargets, type Params } from "../../nn/index.ts";
import {
  type Classification,
  enqueue,
  hardNegatives,
  type MomentumContrast,
  maskedCrossEntropy,
  maskedDistillation,
  momentumContrast,
} from "../../objectives/index.ts";
import type { Part } from "../../train/index.ts";

/** What a step reads besides its batch. */
export interface AlbefStep {
  /** (E, Q): embeddings of earlier batches by the average. */
  readonly imageQueue: Value;
  readonly textQueue: Value;
  /** int (): the column of the queues that is replaced first. */
  readonly start: Value;
  /** (): the average's share in the targets. */
  readonly alpha: Value | number;
  /** (B, B) each: Gumbel noise of the draws; undefined: the likeliest is taken. */
  readonly noise?: { readonly images: Value; readonly texts: Value } | undefined;
}

/** The losses, and what they were made of. */
export interface AlbefLosses {
  readonly contrast: MomentumContrast;
  /** Of 3B rows: pairs, texts with a wrong picture, wrong texts with a picture. */
  readonly itm: Classification & { readonly logits: Value };
  readonly negatives: { readonly images: Value; readonly texts: Value };
  /** (): (1 − α)·hard + α·distilled. */
  readonly mlm: Value;
  readonly words: Classification & { readonly distilled: Value; readonly logits: Value };
  /** The next queues, with this batch in them. */
  readonly queues: { readonly image_queue: Value; readonly text_queue: Value };
  readonly states: Readonly<
    Record<"image" | "text" | "imageMomentum" | "textMomentum" | "imageEmbeds" | "textEmbeds", Value> & {
      textEmbedsMomentum: Value;
    }
  >;
}

/** `p` is the root; the average has been updated. With several parts, each has negatives of its own, and the queues take all. */
export function albefLosses(
  p: Params,
  config: AlbefConfig,
  batch: AlbefBatch,
  step: AlbefStep,
  part: Part,
): AlbefLosses {
  const { alpha } = step;
  const mask = batch.attention_mask;
  const encoded = (whose: Whose) => {
    const image = albefImage(p, config, batch.pixel_values, { whose });
    const text = albefText(p, config, batch.input_ids, { mask, whose });
    const [i, t] = [albefEmbeds(p, config, "vision", image, whose), albefEmbeds(p, config, "text", text, whose)];
    return { image, text, embeds: { image: i, text: t } };
  };
  const temperature = albefTemperature(p, config);
  const [own, average] = [encoded("own"), encoded("momentum")];
  const contrast = momentumContrast({
    ...own.embeds,
    ...{ imageMomentum: average.embeds.image, textMomentum: average.embeds.text },
    ...{ imageQueue: step.imageQueue, textQueue: step.textQueue, temperature, alpha },
  });
  const { itm, negatives } = matching(p, config, { ...own, ids: batch.input_ids, mask }, contrast, step, part);

  const logits = albefMasked(p, config, batch, own.image);
  const rows = { logits, ...maskedTargets(batch.mlm_targets, logits) };
  const hard = maskedCrossEntropy(rows, part);
  const distilled = maskedDistillation(rows, albefMasked(p, config, batch, average.image, "momentum"), part);
  const queued = (queue: Value, embeds: Value): Value =>
    enqueue(queue, allGather(stopGradient(embeds), part.parts), step.start);
  return {
    contrast,
    itm,
    negatives,
    mlm: add(mul(hard.loss, sub(1, alpha)), mul(distilled, alpha)),
    words: { ...hard, distilled, logits },
    queues: {
      image_queue: queued(step.imageQueue, average.embeds.image),
      text_queue: queued(step.textQueue, average.embeds.text),
    },
    states: {
      ...{ image: own.image, text: own.text, imageEmbeds: own.embeds.image, textEmbeds: own.embeds.text },
      ...{ imageMomentum: average.image, textMomentum: average.text, textEmbedsMomentum: average.embeds.text },
    },
  };
}

interface Encoded {
  readonly image: Value;
  readonly text: Value;
  readonly ids: Value;
  readonly mask: Value | undefined;
}

/** Pairs, and each text and picture with a hard wrong partner. */
function matching(
  p: Params,
  config: AlbefConfig,
  { image, text, ids, mask }: Encoded,
  { imageToText, textToImage }: MomentumContrast,
  { noise }: AlbefStep,
  part: Part,
): Pick<AlbefLosses, "itm" | "negatives"> {
  const { B } = text.dims("B T D");
  const same = sameTexts(ids);
  const own = (scores: Value): Value => slice(scores, 1, 0, B);
  const images = hardNegatives(own(textToImage.scores), same, noise?.images);
  const texts = hardNegatives(own(imageToText.scores), same, noise?.texts);
  const pairs = albefMatching(p, albefFuse(p, config, { text, image }, { mask }));
  const wrong = albefFuse(
    p,
    config,
    {
      text: concat([text, rowsAt(text, texts.chosen)], 0),
      image: concat([rowsAt(image, images.chosen), image], 0),
    },
    { mask: mask && concat([mask, gather(mask, texts.chosen)], 0) },
  );
  const logits = concat([pairs, albefMatching(p, wrong)], 0); // (3B, 2)
  const all = (x: number, n: number): Value => broadcastTo(constant(x, "float32"), [n]);
  const found = maskedCrossEntropy(
    {
      logits,
      targets: cast(concat([all(1, B), all(0, 2 * B)], 0), "int32"),
      weights: concat([broadcastTo(constant(1, logits.dtype), [B]), images.weights, texts.weights], 0),
    },
    part,
  );
  return { itm: { ...found, logits }, negatives: { images: images.chosen, texts: texts.chosen } };
}

/** int (B, B): 1 where two captions have the same tokens, a sample with itself among them. */
function sameTexts(ids: Value): Value {
  const { B, T } = ids.dims("B T");
  const alike = cast(equal(reshape(ids, [B, 1, T]), reshape(ids, [1, B, T])), "float32");
  return cast(equal(sum(alike, [2]), T), "int32");
}

/** Sequences in another order: (B, N, D) at int (B). */
function rowsAt(x: Value, order: Value): Value {
  const { B, N, D } = x.dims("B N D");
  return reshape(gather(reshape(x, [B, N * D]), order), [B, N, D]);
}
