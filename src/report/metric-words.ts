/** What the numbers of a run mean, in a few words, for readers of its page and card. */

type Words = readonly [pattern: RegExp, say: (k: string) => string];

const NATS = "cross entropy in nats, lower is better";

/** By the end of a name; the first that fits. A number in the pattern is what `say` is given. */
const METRICS: readonly Words[] = [
  [/_over_chance$/, () => "how many times more often than by guessing"],
  [/i2t_r(\d+)$/, (k) => `pictures whose right caption is ${k === "1" ? "ranked first" : `among the first ${k}`}`],
  [/t2i_r(\d+)$/, (k) => `captions whose right picture is ${k === "1" ? "ranked first" : `among the first ${k}`}`],
  [/i2t_r$/, () => "pictures whose right caption is among the first 1, 5, 10"],
  [/t2i_r$/, () => "captions whose right picture is among the first 1, 5, 10"],
  [
    /_itm_accuracy$|\/itm_accuracy$/,
    () => "pairs rightly told to match or not; half have a wrong caption that is hard to tell from the right one",
  ],
  [/mmm_text_accuracy$/, () => "hidden words of captions guessed right, with the picture in view"],
  [/mmm_image_accuracy$/, () => "hidden patches whose visual word is guessed right, with the caption in view"],
  [/caption_loss$/, () => `words of captions, one after another, with the picture in view: ${NATS}`],
  [/caption_accuracy$/, () => "pictures whose caption is likelier than a wrong one that is hard to tell from it"],
  [/\/ap$/, () => "average precision of boxes, mean over overlaps of 0.5 to 0.95 and over classes (COCO's)"],
  [/\/ap(50|75)$/, (k) => `the same for boxes that overlap by 0.${k}`],
  [/\/ar100$/, () => "boxes that are found at all, mean over the same overlaps"],
  [/(prefix_lm|clm)\/accuracy$/, () => "next words guessed right"],
  [/prefix_lm$/, () => `the rest of a caption, with the picture and the beginning in view: ${NATS}`],
  [/clm$/, () => `the rest of a text, with its beginning in view: ${NATS}`],
  [/^itm\/accuracy$/, () => "pairs of the batch rightly told to match or not"],
  [/^itm$/, () => `does the caption belong to the picture: ${NATS}`],
  [/^ita\/accuracy$/, () => "pictures and captions that find their own among those of the batch and of earlier ones"],
  [/^ita$/, () => `the right caption and picture among those of this batch and of earlier ones: ${NATS}`],
  [/^wpa$/, () => "how far words are from the patches of their picture, less how far from those of others"],
  [/global_contrastive\/accuracy$/, () => "pictures of the batch that find their caption"],
  [/global_contrastive\/text_accuracy$/, () => "captions of the batch that find their picture"],
  [/global_contrastive$/, () => `the right caption and picture among those of the batch: ${NATS}`],
  [/mmm_text\/accuracy$/, () => "hidden words of captions guessed right"],
  [/mmm_text$/, () => `hidden words of captions, with the picture in view: ${NATS}`],
  [/mmm_image\/accuracy$/, () => "hidden patches whose visual word is guessed right"],
  [/mmm_image$/, () => `visual words of hidden patches, with the caption in view: ${NATS}`],
  [/mlm[/_]unigram_loss$/, () => "the same for a guess by how often each word occurs in the training texts"],
  [/mlm[/_]unigram_accuracy$/, () => "the same for always giving the commonest word"],
  [/mlm[/_]accuracy$/, () => "hidden words of texts guessed right"],
  [/mlm([/_]loss)?$/, () => `hidden words of texts: ${NATS}`],
  [/mim[/_]majority_accuracy$/, () => "the same for always giving the commonest visual word"],
  [/mim[/_]accuracy$/, () => "hidden patches whose visual word is guessed right"],
  [/mim([/_]loss)?$/, () => `visual words of hidden patches: ${NATS}`],
  [/knn[/_]random_init_accuracy$/, () => "the same for the weights before training"],
  [/knn[/_]majority_accuracy$/, () => "the same for always giving the commonest class"],
  [/knn[/_]accuracy$/, () => "pictures whose 20 nearest neighbours give the right class"],
  [/codebook[/_]usage$/, () => "share of the visual words that occur"],
  [/codebook[/_]perplexity$/, () => "how many visual words there would be if all were equally frequent"],
  [/codebook[/_]mse$/, () => "mean squared error of the pictures made of visual words, pixels in 0..1"],
  [
    /codebook[/_]patch_(?:colour|lightness)_error$/,
    () => "the same for one colour a patch: what a codebook of plain squares would reach",
  ],
  [/codebook[/_]picture_(?:colour|lightness)_error$/, () => "the same for one colour a picture"],
  [
    /codebook[/_]colour_error$/,
    () => "mean error in colour of pictures made of visual words: √(Δa*² + Δb*²), a part of ΔE*ab (CIE 1976)",
  ],
  [/codebook[/_]lightness_error$/, () => "their mean error in lightness: |ΔL*|, the other part"],
  [/^unevenness$/, () => "divergence of the batch's visual words, taken together, from even use, nats"],
  [/^dvae$/, () => "loss of the codebook: reconstruction and weighted divergence"],
  [/^reconstruction$/, () => "how unlikely the pixels are, given their visual words"],
  [/^kl$/, () => "divergence of the visual words from even use, nats"],
  [/^dino$/, () => "the student's cross entropy with its teacher, nats"],
  [/^teacher_entropy$/, () => "nats; near 0 or near its chance level, the teacher has collapsed"],
  [/^center_norm$/, () => "size of the center that is subtracted from the teacher's output"],
  [/^loss$/, () => "the sum of the step's losses, each times its weight"],
  [/\/count$/, () => "targets a step"],
  [/^lr$/, () => "learning rate"],
  [/^grad_norm$/, () => "length of the gradient before it is clipped"],
  [/^samples_per_second$/, () => "samples a second"],
  [/^samples$/, () => "samples seen so far"],
  [/^time\/data$/, () => "share of the time spent waiting for data"],
  [/^time\/engine$/, () => "share of the time in the engine"],
];

/** What a metric or result measures; "" for a name that nobody has explained. */
export function explain(name: string): string {
  for (const [pattern, say] of METRICS) {
    const found = pattern.exec(name);
    if (found) return say(found[1] ?? "");
  }
  return "";
}

/** "i2t_r1" of "unseen_style_i2t_r1", and the set before it; undefined for what is no recall. */
export function recallOf(
  name: string,
): { readonly set: string; readonly toText: boolean; readonly k: number } | undefined {
  const found = /^(?:(.*)[_/])?(i2t|t2i)_r(\d+)$/.exec(name);
  return found ? { set: found[1] ?? "", toText: found[2] === "i2t", k: Number(found[3]) } : undefined;
}

/** Among how many candidates a recall was measured, by the share that guessing reaches: about, where galleries differ in size. */
export function candidates(name: string, chance: number | undefined): string {
  const recall = recallOf(name);
  if (!recall || chance === undefined || !(chance > 0)) return "";
  return `1 right of about ${Math.round(recall.k / chance)} ${recall.toText ? "captions" : "pictures"}`;
}

/** Whether the values of a metric are shares, to be shown as percentages. */
export const isShare = (name: string): boolean => /(_r\d+|recall|accuracy|acc\d*|share|usage)(@\d+)?$/.test(name);

/** 3725 → "1 h 2 min", 119.7 → "2 min 0 s". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A number with its noun: 1 → "1 run", 1234 → "1,234 runs". */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
