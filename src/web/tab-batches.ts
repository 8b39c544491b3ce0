/** Batches of a joint stage from what is in memory: every draw is a function of the seed, the step and the sample. */

import { allocateRows, type BatchItem, type Builder, createBuilder, joinRows } from "../data/batch/index.ts";
import { ConfigError } from "../errors.ts";
import type { Pixels } from "../image/index.ts";
import type { FlavaConfig } from "../models/flava/index.ts";
import { jointBuilds } from "../pretrain/stages/joint-objectives.ts";
import { random } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import type { Batch } from "../train/index.ts";
import type { TabStage } from "./joint-tab.ts";

/** Kinds of steps. */
export type TabKind = "pair" | "contrast" | "image" | "text";

/** A picture with its caption. */
export interface TabSample {
  readonly key: string;
  readonly pixels: Pixels;
  readonly text: string;
}

/** Pairs serve as pictures and as texts too where there are none of their own. */
export interface TabData {
  readonly pairs: readonly TabSample[];
  readonly images?: readonly Pick<TabSample, "key" | "pixels">[] | undefined;
  readonly texts?: readonly string[] | undefined;
}

interface BatchOptions {
  readonly model: FlavaConfig;
  readonly stage: TabStage;
  readonly tokenizer: TextTokenizer;
  readonly data: TabData;
  readonly seed: number;
}

/** Batch `step`. Throws ConfigError where a kind of step has nothing to read. */
export function createBatches({
  model,
  stage,
  tokenizer,
  data,
  seed,
}: BatchOptions): (step: number) => Promise<Batch & { readonly kind: TabKind }> {
  const builds = jointBuilds(model, stage);
  const builders = new Map<TabKind, Builder>();
  const builderOf = (kind: TabKind): Builder => {
    const builder = builders.get(kind) ?? createBuilder(builds[kind], tokenizer);
    builders.set(kind, builder);
    return builder;
  };
  const { pairs, images = pairs, texts = pairs.map(({ text }) => text) } = data;
  const items: Readonly<Record<TabKind, readonly Partial<TabSample>[]>> = {
    pair: pairs,
    contrast: pairs,
    image: images,
    text: texts.map((text, i) => ({ key: `text ${i}`, text })),
  };
  const sizes: Readonly<Record<TabKind, number>> = {
    pair: stage.batchSize,
    contrast: stage.batchSize,
    image: stage.imageBatchSize ?? stage.batchSize,
    text: stage.textBatchSize ?? stage.batchSize,
  };
  const orders = new Map<TabKind, { readonly epoch: number; readonly list: readonly number[] }>();
  return async (step) => {
    const kind = kindOf(stage, seed, step);
    const rows = sizes[kind];
    if (items[kind].length === 0)
      throw new ConfigError(`step ${step}: expected data for a batch of ${kind}s, got none`);
    const { fields, encode } = builderOf(kind);
    const room = allocateRows(fields, rows);
    const samples = Array.from({ length: rows }, (_, row): BatchItem => itemOf({ kind, seed, step, row, rows }));
    for (const [row, item] of samples.entries()) encode(item, item.pixels, room, row);
    const feeds = joinRows(fields, [{ rows: room, from: 0, to: rows }]);
    return { kind, feeds, samples: samples.map(({ key }) => key) };
  };

  function itemOf({ kind, seed, step, row, rows }: Place): BatchItem {
    const list = items[kind];
    const ordinal = (step - 1) * rows + row;
    const epoch = Math.floor(ordinal / list.length);
    const sample = list[orderOf(kind, epoch, list.length)[ordinal % list.length]!]!;
    const draw = { seed, stream: `tab/${kind}`, epoch, ordinal };
    const rng = random(seed, "tab-negative", step, row);
    const isNegative = kind === "pair" && stage.lossWeights.itm > 0 && rng.uniform() < stage.itmNegativeRatio;
    const negative = isNegative ? otherCaption(pairs, sample.text!, rng) : undefined;
    return { key: `${row}`, ...sample, draw, negative };
  }

  /** The order of one epoch: the one under way is remembered. */
  function orderOf(kind: TabKind, epoch: number, length: number): readonly number[] {
    const known = orders.get(kind);
    if (known?.epoch === epoch) return known.list;
    const list = shuffled(length, random(seed, `tab-order:${kind}`, epoch));
    orders.set(kind, { epoch, list });
    return list;
  }
}

/** Draws before a caption of its own is kept: most of the captions may be the same. */
const TRIES = 32;

/** A caption that says something else; undefined where none was drawn, and the pair stays a right one. */
function otherCaption(
  pairs: readonly TabSample[],
  own: string,
  rng: { integer(n: number): number },
): string | undefined {
  for (let i = 0; i < TRIES; i++) {
    const { text } = pairs[rng.integer(pairs.length)]!;
    if (text !== own) return text;
  }
  return undefined;
}

interface Place {
  readonly kind: TabKind;
  readonly seed: number;
  readonly step: number;
  readonly row: number;
  readonly rows: number;
}

function kindOf({ sampling }: TabStage, seed: number, step: number): TabKind {
  const shares: [TabKind, number][] = [
    ["pair", sampling.pairs],
    ["contrast", sampling.contrast],
    ["image", sampling.images],
    ["text", sampling.texts],
  ];
  let left = random(seed, "tab-kind", step).uniform() * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [kind, share] of shares) {
    left -= share;
    if (left < 0) return kind;
  }
  return "pair";
}

function shuffled(length: number, rng: { integer(n: number): number }): number[] {
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = rng.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
