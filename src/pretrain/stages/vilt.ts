/**
 * ViLT's stage (Kim et al., arXiv:2102.03334 §3.2): masked words beside their picture, whether text and picture belong together, and how words
 * and patches lie to each other.
 */
import { z } from "zod";
import { type Augmentation, augmentOf, maskedTexts, type TokenMasking } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { createPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { input, mul, type Value } from "../../graph/index.ts";
import {
  picturesAt,
  shuffledPictures,
  type ViltConfig,
  viltBatch,
  viltImage,
  viltMasked,
  viltMatched,
  viltText,
} from "../../models/vilt/index.ts";
import {
  alignmentLoss,
  imageTextMatching,
  maskedCrossEntropy,
  matchingChance,
  transport,
  wordsOf,
} from "../../objectives/index.ts";
import { attention, pairWords } from "../../pictures/index.ts";
import { fromNumbers, random, type Tensor } from "../../tensor/index.ts";
import type { Losses, Objective } from "../../train/index.ts";
import { adamW, augmentation, common, initFrom, schedule, tokenMasking, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkLength, checkSource } from "./checks.ts";
import { PAIR_SCALES, scaleFor, tokensFor } from "./defaults.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** ViLT's stage of a recipe, every default filled in. */
export interface ViltStage extends StageBase {
  readonly kind: "vilt";
  /** Tokens of a caption. */
  readonly textLength: number;
  readonly masking: TokenMasking;
  readonly lossWeights: { readonly mlm: number; readonly itm: number; readonly wpa: number };
  /** Rounds of the transport plan between words and patches. */
  readonly transportRounds: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly model: InitFrom };
}

const weight = (of: number) => z.number().nonnegative().default(of);

/** dandelin/ViLT's config.py, task_mlm_itm. */
const schema = z.strictObject({
  kind: z.literal("vilt"),
  ...common({ steps: 100_000, batchSize: 4096 }),
  optimizer: adamW({ lr: 1e-4, betas: [0.9, 0.98], eps: 1e-8, weightDecay: 0.01 }),
  schedule: schedule({ kind: "linear", warmupSteps: 10_000 }),
  textLength: whole.default(40).describe("Tokens of a caption."),
  masking: tokenMasking(false),
  lossWeights: z
    .strictObject({ mlm: weight(1), itm: weight(1), wpa: weight(0.1) })
    .prefault({})
    .describe("Masked words, matching, word–patch alignment. 0 leaves a loss out."),
  transportRounds: whole.default(50).describe("Rounds of the transport plan (UNITER)."),
  augmentation,
  init: z.strictObject({ model: initFrom("random") }).prefault({}),
});

export const viltKind: StageKind<ViltStage, ViltConfig> = {
  family: "vilt",
  schema,
  gives: ["model"],
  startsFrom: ["model"],
  defaults: (given) => ({
    ...scaleFor(given, PAIR_SCALES).raw,
    textLength: tokensFor(given, 40),
  }),
  reads: ({ steps, batchSize }) => ({ pairs: steps * batchSize }),
  check(recipe, { textLength, batchSize, lossWeights }, report) {
    checkSource(recipe, "pairs", report);
    checkLength(recipe, textLength, report, ["textLength"]);
    if (lossWeights.mlm + lossWeights.itm + lossWeights.wpa === 0)
      report(["lossWeights"], "every loss has weight 0: nothing would be trained");
    if (batchSize < 2 && lossWeights.itm + lossWeights.wpa > 0)
      report(["batchSize"], "wrong pictures come from the same batch: expected 2 or more");
    if (recipe.model.matchingHead !== "itm" && lossWeights.itm > 0)
      report(["lossWeights", "itm"], 'model.matchingHead is "rank", which two classes cannot train: expected "itm"');
  },
  tiny: (stage) => ({ ...stage, textLength: TINY.tokens, transportRounds: Math.min(stage.transportRounds, 5) }),
  plan,
  evaluators: (context, held, stage) =>
    Object.entries(held.validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs })),
  test: pairsOf,
  async *pictures(drawing, { textLength, masking, lossWeights }) {
    yield ["40-attention", await attention(drawing, textLength)];
    if (lossWeights.mlm > 0)
      yield ["50-words-in-pairs", await pairWords(drawing, { textLength, textMasking: masking })];
  },
  lossWeights: ({ lossWeights }) => ({ ...lossWeights }),
};

function pairsOf(
  context: EvaluationContext,
  { textLength, masking, lossWeights }: ViltStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  return createPairs(context, {
    ...set,
    textLength,
    retrieval: false,
    matching: lossWeights.itm > 0,
    ...(lossWeights.mlm > 0 && { masked: { textMasking: masking, heads: ["text"] } }),
  });
}

function plan({ model, seed }: Recipe<ViltConfig>, stage: ViltStage): StagePlan {
  const image = {
    size: model.image.imageSize,
    codebookSize: 0,
    augment: augmentOf(stage.augmentation),
    mask: null,
  };
  const text = maskedTexts(stage.textLength, stage.masking);
  return {
    objectives: { pair: objective(model, stage, text.mask.maxTargets) },
    datasets: [{ kind: "pair", data: "pairs", build: { kind: "pair", image, text }, negatives: 0 }],
    noise: (step) => draws(seed, step, stage.batchSize),
    lossWeights: stage.lossWeights,
  };
}

/** Which samples keep their picture: ⌊B/2⌋ of them. */
function draws(seed: number, step: number, B: number): Record<"picture_kept", Tensor> {
  const rng = random(seed, "vilt-pictures", step);
  const order = Array.from({ length: B }, () => rng.uniform());
  const kept = new Set(
    Array.from(order.keys())
      .sort((a, b) => order[a]! - order[b]! || a - b)
      .slice(0, Math.floor(B / 2)),
  );
  return {
    picture_kept: fromNumbers(
      Array.from(order, (_, i) => Number(kept.has(i))),
      [B],
      "int32",
    ),
  };
}

function objective(model: ViltConfig, stage: ViltStage, maskedTokens: number): Objective {
  const { batchSize, textLength, lossWeights: weights } = stage;
  return {
    batchSize,
    losses(p, batch, part) {
      if (batch < batchSize && batch % 2 === 1)
        throw new ConfigError(
          `batchSize: expected an even number of samples in each part of a batch, got ${batch} of ${batchSize}`,
          "wrong pictures are those of neighbours, two and two: choose fewer workers or gradientAccumulationSteps, or another batchSize",
        );
      const fed = viltBatch(model, { batch, textLength, maskedTokens, maskedPatches: 0 });
      const image = viltImage(p, model, fed.pixel_values);
      const masked = viltMasked(p, model, fed, image);
      const ids = fed.input_ids;
      const { picture, matched } = shuffledPictures(ids, input("picture_kept", [batch], "int32"));
      const whole = viltMatched(p, model, viltText(p, model, ids, fed.attention_mask), picturesAt(image, picture));

      const mlm = maskedCrossEntropy(masked, part);
      const itm = imageTextMatching(whole.logits, matched, part);
      const words = wordsOf(fed.attention_mask!, whole.text);
      const { distances } = transport(
        { text: whole.text, image: whole.patches, words, patches: undefined },
        { rounds: stage.transportRounds },
      );
      const guess = matchingChance(0.5);
      const terms = {
        mlm: { loss: mlm.loss, metrics: { accuracy: mlm.accuracy, count: mlm.count }, chance: { "": mlm.chance } },
        itm: {
          loss: itm.loss,
          metrics: { accuracy: itm.accuracy },
          chance: { "": guess.loss, "/accuracy": guess.accuracy },
        },
        wpa: { loss: alignmentLoss(distances, matched), metrics: {}, chance: {} },
      };
      return {
        ...weighted(terms, weights),
        checkpoints: [...masked.hidden_states, ...whole.hidden_states],
      };
    },
  };
}

interface Term {
  readonly loss: Value;
  readonly metrics: Readonly<Record<string, Value>>;
  /** By what stands after the loss's name: "" for itself. */
  readonly chance: Readonly<Record<string, number>>;
}

/** Losses of a weight above 0 with what belongs to them, by the names that logs have. */
function weighted(terms: Readonly<Record<string, Term>>, weights: Readonly<Record<string, number>>): Losses {
  const found = {
    losses: {} as Record<string, Value>,
    metrics: {} as Record<string, Value>,
    chance: {} as Record<string, number>,
  };
  for (const [name, { loss, metrics, chance }] of Object.entries(terms)) {
    const weight = weights[name]!;
    if (weight === 0) continue;
    found.losses[name] = weight === 1 ? loss : mul(loss, weight);
    for (const [metric, value] of Object.entries(metrics)) found.metrics[`${name}/${metric}`] = value;
    for (const [after, value] of Object.entries(chance))
      found.chance[name + after] = after === "" ? weight * value : value;
  }
  return found;
}
