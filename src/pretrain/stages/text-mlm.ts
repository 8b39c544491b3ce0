/** The text stage: masked language modelling alone (FLAVA, arXiv:2112.04482 §3.3 and supplement B.1). */
import { z } from "zod";
import { maskedTexts, type TokenMasking } from "../../data/index.ts";
import { createMlm } from "../../evaluators/index.ts";
import { pretrainTexts, textBatch } from "../../models/flava/index.ts";
import { equalWeights, textObjective } from "../../objectives/index.ts";
import { textWords, wordNeighbours } from "../../pictures/index.ts";
import type { BreakMode } from "../../text/index.ts";
import { adamW, common, initFrom, pack, schedule, tokenMasking, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Recipe } from "../recipe/types.ts";
import { checkLength, checkSource } from "./checks.ts";
import { scaleFor, tokensFor } from "./defaults.ts";
import { firstVectors } from "./first-vectors.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** The text stage of a recipe, every default filled in. */
export interface TextMlmStage extends StageBase {
  readonly kind: "text-mlm";
  readonly textLength: number;
  /** How sentences are packed into full rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly masking: TokenMasking;
  /** What the word embeddings are before the first step: vectors from the words' company in the texts, or nothing yet. */
  readonly firstWords: "random" | "company";
  readonly init: { readonly text: InitFrom };
}

/** FLAVA supp. B.1, "RoBERTa-base hyperparameters" (arXiv:1907.11692, table 9). */
const schema = z.strictObject({
  kind: z.literal("text-mlm"),
  ...common({ steps: 125_000, batchSize: 2048 }),
  optimizer: adamW({ lr: 5e-4, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.01 }),
  schedule: schedule({ kind: "linear", warmupSteps: 10_000 }),
  textLength: whole.default(512).describe("Tokens of a text (fairseq's RoBERTa base)."),
  pack,
  masking: tokenMasking(false),
  firstWords: z
    .enum(["random", "company"])
    .default("random")
    .describe(
      "Word embeddings to begin with: random (the paper's), or vectors of words from those they stand near in the texts, for short training.",
    ),
  init: z.strictObject({ text: initFrom("random") }).prefault({}),
});

export const textMlmKind: StageKind<TextMlmStage> = {
  family: "flava",
  schema,
  gives: ["text"],
  startsFrom: ["text"],
  defaults: (given) => ({
    ...scaleFor(given, {
      tiny: { steps: 200, batchSize: 16, lr: 2e-3 },
      small: { steps: 600, batchSize: 64, lr: 1e-3 },
    }).raw,
    textLength: tokensFor(given, 512),
  }),
  reads: ({ steps, batchSize }) => ({ texts: steps * batchSize }),
  check(recipe, { textLength }, report) {
    checkSource(recipe, "texts", report);
    checkLength(recipe, textLength, report, ["textLength"]);
  },
  tiny: (stage) => ({ ...stage, textLength: TINY.tokens }),
  plan,
  async firstValues(beginning, { firstWords, init }, { seed }) {
    return firstWords === "random" || init.text !== "random" ? {} : firstVectors(beginning, seed);
  },
  measures: { mlm: "texts" },
  evaluators: (context, { texts, trainingTexts: training, maxTexts: max, onBad }, { textLength, masking, pack }) => [
    createMlm(context, { texts, training, max, textLength, masking, pack, onBad }),
  ],
  async *pictures(drawing, stage) {
    yield ["55-words", await textWords(drawing, stage)];
    yield ["57-neighbours", await wordNeighbours(drawing, "mean")];
  },
};

function plan({ model }: Recipe, stage: TextMlmStage): StagePlan {
  const text = maskedTexts(stage.textLength, stage.masking);
  return {
    objectives: {
      text: {
        batchSize: stage.batchSize,
        losses(p, batch, part) {
          const { length: textLength, mask } = text;
          const sizes = { batch, textLength, maskedTokens: mask.maxTargets, maskedPatches: 0 };
          const values = pretrainTexts(p, model, textBatch(sizes));
          return { ...textObjective(values, equalWeights, part), checkpoints: values.masked.hidden_states };
        },
      },
    },
    datasets: [
      { kind: "text", data: "texts", pack: stage.pack && { breakMode: stage.pack }, build: { kind: "text", text } },
    ],
  };
}
