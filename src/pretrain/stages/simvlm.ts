/** SimVLM's stage: prefix language modelling of captions beside their pictures, and of texts (Wang et al., arXiv:2108.10904 §3.1). */
import { z } from "zod";
import { type Augmentation, augmentOf } from "../../data/index.ts";
import { createPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { input } from "../../graph/index.ts";
import {
  embeddedWords,
  type SimvlmConfig,
  simvlmDecode,
  simvlmEncode,
  simvlmRoot,
  simvlmWords,
} from "../../models/simvlm/index.ts";
import { averaged } from "../../nn/index.ts";
import { labelledRows, maskedCrossEntropy } from "../../objectives/index.ts";
import type { Objective } from "../../train/index.ts";
import { adamW, augmentation, common, initFrom, schedule, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkLength, checkSource } from "./checks.ts";
import { PAIR_SCALES, scaleFor, tokensFor } from "./defaults.ts";
import { knn } from "./shared.ts";
import type { PlannedDataset, Report, StageBase, StageKind, StagePlan, Unplaced } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** SimVLM's stage of a recipe, every default filled in. */
export interface SimvlmStage extends StageBase {
  readonly kind: "simvlm";
  /** Shares of the steps by kind of batch; only the ratios count. */
  readonly sampling: { readonly pairs: number; readonly texts: number };
  /** Tokens of a caption and of a text. */
  readonly textLength: { readonly pairs: number; readonly texts: number };
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom };
}

/** The paper's run as it is remembered; there each batch has pairs and texts, 4,096 and 512, here each step one of them. */
const schema = z.strictObject({
  kind: z.literal("simvlm"),
  ...common({ steps: 1_000_000, batchSize: 4096 }),
  optimizer: adamW({
    ...{ lr: 5e-4, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 },
    noDecay: ["\\.bias$", "(norm\\d?|bn\\d|downsample\\.1)\\.weight$", "_positions"],
  }),
  schedule: schedule({ kind: "linear", warmupSteps: 20_000 }),
  sampling: z
    .strictObject({
      pairs: z.number().nonnegative().default(8),
      texts: z.number().nonnegative().default(1).describe("Steps on texts without pictures."),
    })
    .prefault({}),
  textLength: z
    .strictObject({
      pairs: whole.default(256).describe("Tokens of a caption."),
      texts: whole.default(256).describe("Tokens of a text."),
    })
    .prefault({}),
  augmentation,
  init: z.strictObject({ image: initFrom("random"), text: initFrom("random") }).prefault({}),
});

export const simvlmKind: StageKind<SimvlmStage, SimvlmConfig> = {
  family: "simvlm",
  schema,
  gives: ["image", "text"],
  startsFrom: ["image", "text"],
  defaults: (given) => ({
    ...scaleFor(given, PAIR_SCALES).raw,
    textLength: { pairs: tokensFor(given, 256), texts: tokensFor(given, 256) },
  }),
  reads({ steps, batchSize, sampling: { pairs, texts } }) {
    const read = (share: number): number => Math.round((steps * share) / (pairs + texts)) * batchSize;
    return { ...(pairs > 0 && { pairs: read(pairs) }), ...(texts > 0 && { texts: read(texts) }) };
  },
  check,
  tiny: (stage) => ({ ...stage, textLength: { pairs: TINY.tokens, texts: TINY.tokens } }),
  plan,
  measures: { knn: "labelled" },
  evaluators: (context, held, stage) => [
    ...Object.entries(held.validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs })),
    knn(context, held),
  ],
  test: pairsOf,
};

function check(recipe: Unplaced<SimvlmConfig>, { sampling, textLength }: SimvlmStage, report: Report): void {
  if (sampling.pairs + sampling.texts === 0) report(["sampling"], "the ratios sum to 0: nothing would be sampled");
  for (const kind of ["pairs", "texts"] as const) {
    if (sampling[kind] === 0) continue;
    checkSource(recipe, kind, report, ["sampling", kind]);
    checkLength(recipe, textLength[kind], report, ["textLength", kind]);
  }
}

/** What captions are measured by: their likelihood. */
function pairsOf(
  context: EvaluationContext,
  { textLength }: SimvlmStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  return createPairs(context, { ...set, textLength: textLength.pairs, retrieval: false, matching: false });
}

function plan({ model }: Recipe<SimvlmConfig>, stage: SimvlmStage): StagePlan {
  const { sampling, textLength, augmentation: augment } = stage;
  const image = { size: model.image.imageSize, codebookSize: 0, augment: augmentOf(augment), mask: null };
  // A caption may be predicted whole; a text without a picture begins with a word that is given.
  const caption = { length: textLength.pairs, mask: null, prefix: { least: 0 } };
  const text = { length: textLength.texts, mask: null, prefix: { least: 1 } };
  const pairs: PlannedDataset = {
    ...{ kind: "pair", data: "pairs", ratio: sampling.pairs, negatives: 0 },
    build: { kind: "pair", image, text: caption },
  };
  const texts: PlannedDataset = {
    ...{ kind: "text", data: "texts", ratio: sampling.texts },
    build: { kind: "text", text },
  };
  return {
    objectives: {
      ...(sampling.pairs > 0 && { pair: objective(model, stage, "pairs") }),
      ...(sampling.texts > 0 && { text: objective(model, stage, "texts") }),
    },
    datasets: [pairs, texts].filter(({ ratio }) => ratio! > 0),
    carried: { initial: {}, next: (observed) => averaged(observed, model.image.momentum) },
  };
}

/** What the loss is called: the deck's names. */
const LOSS = { pairs: "prefix_lm", texts: "clm" } as const;

function objective(model: SimvlmConfig, { batchSize, textLength }: SimvlmStage, kind: "pairs" | "texts"): Objective {
  const { imageSize: side, channels } = model.image;
  const T = textLength[kind];
  return {
    batchSize,
    losses(p, batch, part) {
      const pixels = kind === "pairs" ? input("pixel_values", [batch, channels, side, side]) : undefined;
      const places = (name: string, count: number) => input(name, [batch, count], "int32");
      const text = { ids: places("prefix_ids", T - 2), keep: places("prefix_mask", T - 2) };
      const memory = simvlmEncode(p, model, { pixels, text }, { statistics: "batch" });
      const words = embeddedWords(simvlmRoot(p, model), model, "decoder", places("decoder_ids", T - 1));
      const logits = simvlmWords(p, model, simvlmDecode(p, model, words, memory));
      const rows = labelledRows(logits, places("decoder_labels", T - 1));
      const { loss, accuracy, count, chance } = maskedCrossEntropy(rows, part);
      const name = LOSS[kind];
      return {
        losses: { [name]: loss },
        metrics: { [`${name}/accuracy`]: accuracy, [`${name}/count`]: count },
        chance: { [name]: chance },
        statistics: p.observed(),
      };
    },
  };
}
