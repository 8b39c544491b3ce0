/**
 * The joint stage (FLAVA, arXiv:2112.04482 §3.3): a step reads images, texts or pairs, drawn by the sampling ratios, and trains
 * mim, mlm, or the contrastive, matching and masked multimodal losses.
 */
import { z } from "zod";
import {
  createMim,
  createMlm,
  createPairs,
  type EvaluationContext,
  type Evaluator,
  type PairSet,
} from "../../evaluators/index.ts";
import type { FlavaConfig } from "../../models/flava/index.ts";
import type { LossWeights } from "../../objectives/index.ts";
import {
  attention,
  type Drawing,
  foundCaptions,
  foundPictures,
  mistakes,
  type NamedSection,
  pairPatches,
  pairWords,
  rank,
  scoreMatrices,
  wordNeighbours,
} from "../../pictures/index.ts";
import type { BreakMode } from "../../text/index.ts";
import {
  adamW,
  augmentation,
  common,
  initFrom,
  pack,
  patchMasking,
  schedule,
  share,
  tokenMasking,
  whole,
} from "../recipe/parts-schema.ts";
import { DATA_KINDS, type InitFrom, type Recipe } from "../recipe/types.ts";
import { checkLength, checkPatches, checkSource } from "./checks.ts";
import { maskFor, PAIR_SCALES, scaleFor, tokensFor } from "./defaults.ts";
import { contrastAlone, type JointChoices, jointBuilds, jointObjectives, logNames } from "./joint-objectives.ts";
import { NO_DECODER } from "./shared.ts";
import type { HeldOut, PlannedDataset, Report, StageBase, StageKind, StagePlan, Unplaced } from "./stage.ts";
import { TINY, tinyMasking } from "./tiny.ts";

/** The joint stage of a recipe, every default filled in. */
export interface JointStage extends StageBase, JointChoices {
  readonly kind: "joint";
  readonly batchSize: number;
  /** Shares of the steps by kind of batch; only the ratios count. */
  readonly sampling: {
    readonly pairs: number;
    /** Steps on pairs with the contrastive loss alone: about a third of the work. */
    readonly contrast: number;
    readonly images: number;
    readonly texts: number;
  };
  readonly contrastiveParts: number;
  /** How unpaired sentences are packed into full rows; null: a row holds one text. */
  readonly pack: BreakMode | null;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom; readonly codebook: InitFrom };
}

const weight = z.number().nonnegative().default(1);

/** FLAVA, arXiv:2112.04482 §3.4, supp. Tab A.1, A.2, B.1. */
const schema = z.strictObject({
  kind: z.literal("joint"),
  ...common({ steps: 214_286, batchSize: 8192 }),
  imageBatchSize: whole.nullable().default(null).describe("Batch of image-only steps; null: batchSize."),
  textBatchSize: whole.nullable().default(null).describe("Batch of text-only steps; null: batchSize."),
  optimizer: adamW({ lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 10_000 }),
  sampling: z
    .strictObject({
      pairs: z.number().nonnegative().default(0.7),
      contrast: z
        .number()
        .nonnegative()
        .default(0)
        .describe(
          "Steps on pairs with the contrastive loss alone: nothing is masked, and the multimodal encoder is left out.",
        ),
      images: z.number().nonnegative().default(0.15),
      texts: z.number().nonnegative().default(0.15),
    })
    .prefault({})
    .describe("Shares of the steps; a whole batch comes from one kind (supp. B.1)."),
  lossWeights: z
    .strictObject({
      mim: weight,
      mlm: weight,
      itm: weight,
      globalContrastive: weight,
      mmmImage: weight,
      mmmText: weight,
    })
    .prefault({})
    .describe("The paper gives none; both public codebases: 1. 0 leaves a loss and its head out."),
  itmNegativeRatio: share.default(0.1).describe("Pairs with another image's caption; torchmultimodal: 0.1."),
  contrastiveParts: whole
    .default(1)
    .describe(
      "Parts of a batch, as if each lay on a worker of its own: with model.contrastiveGather local no gradient reaches the embeddings of other parts (open_clip; FLAVA §3.1).",
    ),
  textLength: z
    .strictObject({ pairs: whole.default(77), texts: whole.default(512) })
    .prefault({})
    .describe("torchmultimodal; the paper gives none."),
  pack,
  imageMasking: patchMasking,
  textMasking: tokenMasking(false),
  pairMasking: tokenMasking(true),
  augmentation,
  init: z
    .strictObject({ image: initFrom("random"), text: initFrom("random"), codebook: initFrom("random") })
    .prefault({})
    .describe("The multimodal encoder always starts at random (supp. B.1)."),
});

export const jointKind: StageKind<JointStage> = {
  family: "flava",
  schema,
  gives: ["image", "text"],
  startsFrom: ["image", "text", "codebook"],
  defaults: (given) => ({
    ...scaleFor(given, PAIR_SCALES).raw,
    textLength: { pairs: tokensFor(given, 77), texts: tokensFor(given, 512) },
    imageMasking: maskFor(given),
  }),
  reads,
  check,
  tiny: (stage, recipe) => ({
    ...stage,
    imageBatchSize: null,
    textBatchSize: null,
    textLength: { pairs: TINY.tokens, texts: TINY.tokens },
    imageMasking: tinyMasking(recipe, stage.imageMasking),
  }),
  plan,
  measures: { mlm: "texts", mim: "validation" },
  evaluators,
  test: (context, stage, set) => (readsPairs(stage) ? pairsOf(context, stage, set) : undefined),
  pictures,
  lossWeights: ({ lossWeights }) => ({ ...lossWeights }),
};

function reads({ steps, batchSize, imageBatchSize, textBatchSize, sampling }: JointStage): Record<string, number> {
  const { pairs, contrast, images, texts } = sampling;
  const per = steps / (pairs + contrast + images + texts);
  const counts = {
    pairs: Math.round(per * (pairs + contrast)) * batchSize,
    images: Math.round(per * images) * (imageBatchSize ?? batchSize),
    texts: Math.round(per * texts) * (textBatchSize ?? batchSize),
  };
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
}

/** Whether steps read pairs at all. */
const readsPairs = ({ sampling }: JointStage): boolean => sampling.pairs + sampling.contrast > 0;

function check(recipe: Unplaced, stage: JointStage, report: Report): void {
  const { sampling, lossWeights: w } = stage;
  const kinds = DATA_KINDS.filter((kind) => (kind === "pairs" ? readsPairs(stage) : sampling[kind] > 0));
  if (kinds.length === 0) report(["sampling"], "the ratios sum to 0: nothing would be sampled");
  const losses = { pairs: w.globalContrastive + w.mmmImage + w.mmmText + w.itm, images: w.mim, texts: w.mlm };
  for (const kind of kinds) {
    checkSource(recipe, kind, report, ["sampling", kind]);
    if (losses[kind] === 0)
      report(["sampling", kind], `every loss of ${kind} has weight 0: these steps would train nothing`);
  }
  if (sampling.contrast > 0 && w.globalContrastive === 0)
    report(["sampling", "contrast"], "lossWeights.globalContrastive is 0: these steps would train nothing");
  if (kinds.includes("pairs")) {
    checkLength(recipe, stage.textLength.pairs, report, ["textLength", "pairs"]);
    if (w.globalContrastive > 0 && stage.batchSize < 2)
      report(["batchSize"], "the contrastive loss compares samples: expected 2 or more");
    if (stage.batchSize % stage.contrastiveParts !== 0)
      report(["contrastiveParts"], `${stage.batchSize} samples do not divide into ${stage.contrastiveParts} parts`);
    if (stage.contrastiveParts > 1 && stage.gradientAccumulationSteps > 1)
      report(["contrastiveParts"], "a batch that is trained in micro-batches cannot be kept apart: expected 1");
  }
  if (kinds.includes("texts")) checkLength(recipe, stage.textLength.texts, report, ["textLength", "texts"]);
  const masked = (kinds.includes("images") && w.mim > 0) || (sampling.pairs > 0 && w.mmmImage > 0);
  if (!masked) return;
  checkPatches(recipe, stage.imageMasking, report, ["imageMasking"]);
  if (!recipe.model.codebook) report([], "mim and mmmImage predict visual words, but model.codebook is null");
}

function plan({ model }: Recipe, stage: JointStage): StagePlan {
  const { sampling } = stage;
  const { pairs: pair, contrast, images: image, texts: text } = sampling;
  const ratios: Record<string, number> = { pair, contrast, image, text };
  return {
    objectives: Object.fromEntries(Object.entries(jointObjectives(model, stage)).filter(([kind]) => ratios[kind]! > 0)),
    datasets: datasetsOf(model, stage).filter(({ ratio }) => ratio! > 0),
    lossWeights: logNames(stage.lossWeights),
  };
}

function datasetsOf(model: FlavaConfig, stage: JointStage): PlannedDataset[] {
  const { sampling, pack: breakMode } = stage;
  const build = jointBuilds(model, stage);
  const negatives = stage.lossWeights.itm > 0 ? stage.itmNegativeRatio : 0;
  return [
    { kind: "pair", data: "pairs", ratio: sampling.pairs, negatives, build: build.pair },
    { kind: "contrast", data: "pairs", ratio: sampling.contrast, negatives: 0, build: build.contrast },
    { kind: "image", data: "images", ratio: sampling.images, build: build.image },
    { kind: "text", data: "texts", ratio: sampling.texts, pack: breakMode && { breakMode }, build: build.text },
  ];
}

function evaluators(context: EvaluationContext, held: HeldOut, stage: JointStage): (Evaluator | undefined)[] {
  const { sampling, lossWeights, textLength, textMasking, imageMasking, pack: breakMode } = stage;
  const { validation, texts: heldTexts, trainingTexts: training, maxTexts: max, onBad } = held;
  const found: (Evaluator | undefined)[] = [];
  if (readsPairs(stage))
    for (const [name, set] of Object.entries(validation)) found.push(pairsOf(context, stage, { name, pairs: set }));
  if (sampling.texts > 0 && lossWeights.mlm > 0) {
    const options = { textLength: textLength.texts, masking: textMasking, pack: breakMode, max, onBad };
    found.push(createMlm(context, { texts: heldTexts, training, ...options }));
  }
  if (sampling.images > 0 && lossWeights.mim > 0)
    found.push(createMim(context, { pairs: Object.values(validation), masking: imageMasking }));
  return found;
}

/** The weights of what some step trains: without steps on whole pairs the multimodal losses are not among it. */
const trained = ({ sampling, lossWeights }: JointStage): LossWeights =>
  sampling.pairs > 0 ? lossWeights : contrastAlone(lossWeights);

/** What has weight 0 in the loss is not measured. */
function pairsOf(
  context: EvaluationContext,
  stage: JointStage,
  set: { readonly name: string; readonly pairs: PairSet },
): Evaluator {
  const { globalContrastive, itm, mmmText, mmmImage } = trained(stage);
  const heads = [...(mmmText > 0 ? (["text"] as const) : []), ...(mmmImage > 0 ? (["image"] as const) : [])];
  return createPairs(context, {
    ...set,
    textLength: stage.textLength.pairs,
    retrieval: globalContrastive > 0,
    matching: itm > 0,
    masked: { imageMasking: stage.imageMasking, textMasking: stage.pairMasking, heads },
  });
}

/** Only what the losses of the stage have trained: an ablation may lack pairs, the multimodal encoder or the contrastive loss. */
async function* pictures(
  drawing: Drawing,
  stage: JointStage,
  note: (line: string) => void,
): AsyncGenerator<NamedSection> {
  const { context, pairs: held } = drawing;
  if (!readsPairs(stage)) return;
  const { globalContrastive, mmmText, mmmImage, itm } = trained(stage);
  const textLength = stage.textLength.pairs;
  const masks = { textLength, imageMasking: stage.imageMasking, textMasking: stage.pairMasking };
  if (globalContrastive > 0) {
    const ranking = await rank(context, held);
    yield ["10-found-captions", await foundCaptions(drawing, ranking)];
    yield ["20-found-pictures", await foundPictures(drawing, ranking)];
    yield ["30-mistakes", await mistakes(drawing, ranking)];
  }
  if (mmmText + mmmImage + itm > 0) {
    yield ["40-attention", await attention(drawing, textLength)];
    yield ["45-scores", await scoreMatrices(drawing)];
  }
  if (mmmText > 0) yield ["50-words-in-pairs", await pairWords(drawing, masks)];
  if (globalContrastive > 0) yield ["57-neighbours", await wordNeighbours(drawing, "text_embeds")];
  if (mmmImage === 0 || !context.model.codebook) return;
  if (!drawing.decoder) note(NO_DECODER);
  yield ["60-patches-in-pairs", await pairPatches(drawing, masks)];
}
