/** Image–text matching without training: whether a picture's own caption is told from one that is close to it. */
import type { FlavaModel } from "../../api/index.ts";
import { dot } from "../../api/numbers.ts";
import type { Source } from "../../data/index.ts";
import { ConfigError, DataError } from "../../errors.ts";
import {
  at,
  bootstrap,
  checkFinite,
  galleries,
  hardNegatives,
  type Interval,
  readPairs,
} from "../../evaluators/index.ts";
import type { Refused, StreamOptions } from "./streams.ts";

/** How often the right caption is told. */
export interface MatchResult {
  /**
   * In 0..1. `itm_accuracy`: the matching head's yes or no to each picture with its own caption and with the wrong one; `itm_choice`: whether it gives its own
   * more; `itc_choice`: whether the cosine of the contrastive embeddings does. Chance is 0.5.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of itm_accuracy, by pictures. */
  readonly interval: Interval;
  readonly samples: number;
  readonly refused: readonly Refused[];
}

interface Trial {
  readonly picture: { readonly image: Uint8Array; readonly key: string };
  readonly own: string;
  readonly wrong: string;
}

/** Pictures that go through the model together. */
const AT_ONCE = 256;

/**
 * The wrong caption is one of the same subgroup where the data have subgroups, drawn by `seed`, else a random one. Throws ConfigError for a model
 * without a matching head, DataError for scores that are no numbers.
 */
export async function imageTextMatching(
  model: FlavaModel,
  sources: readonly Source[],
  { seed = 0, signal, onProgress }: StreamOptions & { readonly seed?: number | undefined } = {},
): Promise<MatchResult> {
  if (!model.gives("itm_logits")) throw new ConfigError("image-text matching: expected a model with a matching head");
  const refused: Refused[] = [];
  const trials: Trial[] = [];
  for (const source of sources) trials.push(...(await trialsOf(source, refused, seed, signal)));
  if (trials.length === 0) throw new DataError("image-text matching: expected two captions or more, got fewer");
  const verdicts: Verdicts = { right: [], chosen: [], near: [] };
  for (let i = 0; i < trials.length; i += AT_ONCE) {
    await judge(model, trials.slice(i, i + AT_ONCE), verdicts, signal);
    onProgress?.(verdicts.right.length);
  }
  const { right, chosen, near } = verdicts;
  return {
    metrics: {
      itm_accuracy: mean(right),
      itm_choice: mean(chosen),
      ...(near.length > 0 && { itc_choice: mean(near) }),
    },
    interval: bootstrap(right.length, (places) => mean(at(right, places)), { seed }),
    ...{ samples: right.length, refused },
  };
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** 0, ½ or 1 a picture: of the head's yes and no, of its choice, and of the choice by cosines where there are any. */
interface Verdicts {
  readonly right: number[];
  readonly chosen: number[];
  readonly near: number[];
}

async function judge(
  model: FlavaModel,
  trials: readonly Trial[],
  { right, chosen, near }: Verdicts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pictures = trials.map(({ picture }) => picture);
  const captions = (which: "own" | "wrong"): string[] => trials.map((trial) => trial[which]);
  const own = await scoresOf(model, pictures, captions("own"), signal);
  const wrong = await scoresOf(model, pictures, captions("wrong"), signal);
  for (const [k, yes] of own.matching.entries()) {
    right.push((Number(yes > 0.5) + Number(wrong.matching[k]! <= 0.5)) / 2);
    chosen.push(greater(yes, wrong.matching[k]!));
    if (own.cosine && wrong.cosine) near.push(greater(own.cosine[k]!, wrong.cosine[k]!));
  }
}

/** Equal scores are half right. */
const greater = (a: number, b: number): number => (a > b ? 1 : a === b ? 0.5 : 0);

async function trialsOf(source: Source, refused: Refused[], seed: number, signal?: AbortSignal): Promise<Trial[]> {
  const pairs = await readPairs(source, {
    maxPairs: Number.POSITIVE_INFINITY,
    signal,
    onBad: ({ key, reason, kept }) => {
      if (!kept) refused.push({ key, reason });
    },
  });
  return galleries(pairs).flatMap((gallery) => {
    const negatives = hardNegatives(gallery, seed);
    return gallery.pairs.flatMap((pair, i): Trial[] => {
      const wrong = negatives[i];
      if (wrong !== undefined) return [{ picture: pair, own: pair.caption, wrong }];
      refused.push({ key: pair.key, reason: "there is no other caption" });
      return [];
    });
  });
}

async function scoresOf(
  model: FlavaModel,
  pictures: readonly Trial["picture"][],
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<{ matching: number[]; cosine?: number[] }> {
  const matching = await model.match(pictures, texts, { signal });
  checkFinite("image-text matching: scores", matching);
  if (!model.gives("image_embeds") || !model.gives("text_embeds")) return { matching };
  const { image_embeds } = await model.encodeImage(pictures, { outputs: ["image_embeds"], signal });
  const { text_embeds } = await model.encodeText(texts, { outputs: ["text_embeds"], signal });
  const cosine = matching.map((_, i) => dot(image_embeds.row(i), text_embeds.row(i)));
  return { matching, cosine };
}
