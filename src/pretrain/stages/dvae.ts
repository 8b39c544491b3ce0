/** The codebook stage: a dVAE with relaxed samples, its temperature and divergence schedules (DALL-E, arXiv:2102.12092, appendix A). */
import { z } from "zod";
import { type Augmentation, augmentOf } from "../../data/index.ts";
import { createCodebook } from "../../evaluators/index.ts";
import { constant, input, mul } from "../../graph/index.ts";
import { dvae, wordSize } from "../../models/dvae/index.ts";
import { codebookImageSize } from "../../models/flava/index.ts";
import { dvaeLoss, unevenness, wordShares } from "../../objectives/index.ts";
import { cosineRamp, emaName, scalarInput } from "../../optim/index.ts";
import { reconstructions } from "../../pictures/index.ts";
import { adamW, augmentation, common, initFrom, ramp, schedule, whole } from "../recipe/parts-schema.ts";
import type { InitFrom, Ramp, Recipe } from "../recipe/types.ts";
import { checkSource } from "./checks.ts";
import { type DefaultsFor, scaleFor, shareOf } from "./defaults.ts";
import { firstWords } from "./first-words.ts";
import { gumbel } from "./gumbel.ts";
import type { StageBase, StageKind, StagePlan } from "./stage.ts";
import { tinyRamp } from "./tiny.ts";

/** The codebook stage of a recipe, every default filled in. */
export interface DvaeStage extends StageBase {
  readonly kind: "dvae";
  /** Side of the training crops; null: the side that gives one visual word a patch. */
  readonly imageSize: number | null;
  readonly temperature: Ramp;
  /** β of the KL term. */
  readonly kl: Ramp;
  /** What the visual words are before the first step: clusters of training patches, or nothing yet. */
  readonly firstWords: "random" | "clusters";
  /** What the encoder's learning rate is multiplied by. */
  readonly encoderLr: number;
  /** Weight of the batch's divergence from even use of the words. */
  readonly evenness: number;
  /** Weight of errors in colour. */
  readonly chroma: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly codebook: InitFrom };
}

const schema = z.strictObject({
  kind: z.literal("dvae"),
  ...common({ steps: 3_000_000, batchSize: 512, ema: 0.999 }),
  optimizer: adamW({ lr: 1e-4, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-4 }),
  schedule: schedule({ kind: "cosine", warmupSteps: 0, finalLr: 1.25e-6, decaySteps: 1_200_000 }),
  imageSize: whole
    .nullable()
    .default(null)
    .describe("Side of the training crops; null: the side that gives one word a patch (DALL-E: 256)."),
  temperature: ramp(1, 1 / 16, 150_000).describe("Gumbel-softmax temperature."),
  kl: ramp(0, 6.6, 5000).describe(
    "β of the KL term; the loss is β/192 of its mean over words plus the mean over values.",
  ),
  firstWords: z
    .enum(["random", "clusters"])
    .default("random")
    .describe(
      "Visual words to begin with: random (the paper's), or clusters of training patches by colour, for short training.",
    ),
  encoderLr: z
    .number()
    .positive()
    .default(1)
    .describe("What the encoder's learning rate is multiplied by: below 1, words that are clusters stay words."),
  evenness: z
    .number()
    .nonnegative()
    .default(0)
    .describe("Weight of the divergence of the batch's words, taken together, from even use; the paper has none."),
  chroma: z
    .number()
    .nonnegative()
    .default(0)
    .describe("Weight of errors in colour beside the likelihood, which weighs lightness most; the paper has none."),
  augmentation,
  init: z.strictObject({ codebook: initFrom("random") }).prefault({}),
});

export const dvaeKind: StageKind<DvaeStage> = {
  family: "flava",
  schema,
  gives: ["codebook"],
  startsFrom: ["codebook"],
  defaults,
  reads: ({ steps, batchSize }) => ({ images: steps * batchSize }),
  check(recipe, { imageSize }, report) {
    const { codebook } = recipe.model;
    checkSource(recipe, "images", report);
    if (!codebook) report([], "this trains a codebook, but model.codebook is null");
    else if (imageSize !== null && imageSize % wordSize(codebook) !== 0)
      report(["imageSize"], `${imageSize} pixels are not whole words of ${wordSize(codebook)}`);
  },
  tiny: (stage) => ({ ...stage, imageSize: null, temperature: tinyRamp(stage.temperature), kl: tinyRamp(stage.kl) }),
  plan,
  async firstValues(beginning, stage, { model, seed }) {
    const config = model.codebook!;
    if (stage.firstWords === "random" || stage.init.codebook !== "random") return {};
    return firstWords(beginning, {
      config,
      side: stage.imageSize ?? codebookImageSize(model),
      batch: stage.batchSize,
      seed,
    });
  },
  measures: { codebook: "validation" },
  evaluators: (context, { validation }, { imageSize, ema }) => [
    createCodebook(context, { pairs: Object.values(validation), imageSize, scope: ema === null ? "" : AVERAGES }),
  ],
  async *pictures(drawing) {
    yield ["70-codebook", await reconstructions(drawing)];
  },
};

/**
 * As the starter trains its codebook. Words that begin as clusters of patches move slowly, and nothing blurs them; random ones need a
 * strong divergence, as a weak one ends in a handful of words. Either way 0.999 would average over more steps than there are.
 */
function defaults(given: DefaultsFor): Record<string, unknown> {
  const { steps, raw } = scaleFor(given, {
    tiny: { steps: 100, batchSize: 16, lr: 5e-3 },
    small: { steps: 300, batchSize: 32, lr: 5e-3 },
  });
  if (Object.keys(raw).length === 0) return raw;
  const schedule = { ...(raw.schedule as object), warmupSteps: shareOf(steps, 1 / 12), finalLr: 1e-4 };
  const common = { ...raw, schedule, ema: 0.98 };
  if (given.stage.firstWords === "random")
    return {
      ...common,
      optimizer: { lr: 1e-3, weightDecay: 0 },
      temperature: { steps: shareOf(steps, 0.9) },
      kl: { end: 12, steps: shareOf(steps, 0.45) },
    };
  return {
    ...common,
    optimizer: { lr: 5e-3, weightDecay: 0 },
    firstWords: "clusters",
    encoderLr: 0.1,
    temperature: { steps: shareOf(steps, 0.6) },
    kl: { start: 0, end: 0, steps: 0 },
    evenness: 0.1,
    chroma: 3,
  };
}

/** The scope of averaged weights: "ema". */
const AVERAGES = emaName("").slice(0, -1);

const rampOf = ({ start, end, steps }: Ramp) => cosineRamp(start, end, steps);

function plan({ model, seed }: Recipe, stage: DvaeStage): StagePlan {
  const config = model.codebook!;
  const side = stage.imageSize ?? codebookImageSize(model);
  const places = side / wordSize(config);
  const noise = (batch: number) => [batch, config.vocabSize, places, places];
  const [temperature, kl] = [rampOf(stage.temperature), rampOf(stage.kl)];
  const { batchSize, evenness, chroma } = stage;
  const pixelsOf = (batch: number) => input("codebook_pixel_values", [batch, config.channels, side, side]);
  return {
    objectives: {
      dvae: {
        batchSize,
        losses(p, batch, part) {
          const pixels = pixelsOf(batch);
          const out = dvae(p, config, pixels, input("gumbel", noise(batch)), scalarInput("temperature"));
          const beta = scalarInput("kl_weight");
          const { loss, ...parts } = dvaeLoss({ ...out, pixels, beta, chroma });
          const uneven = evenness > 0 ? { unevenness: mul(unevenness(wordShares(out.logits), part), evenness) } : {};
          // The divergence has no guess to beat: 0 is a codebook that says nothing.
          return { losses: { dvae: loss, ...uneven }, metrics: { ...parts }, chance: {} };
        },
      },
    },
    datasets: [
      { kind: "dvae", data: "images", build: { kind: "dvae", size: side, augment: augmentOf(stage.augmentation) } },
    ],
    gate: (name) =>
      stage.encoderLr !== 1 && name.startsWith("image_codebook.") ? constant(stage.encoderLr) : undefined,
    scalars: (step) => ({ temperature: temperature(step), kl_weight: kl(step) }),
    noise: (step) => ({ gumbel: gumbel(seed, step, noise(batchSize)) }),
    lossWeights: evenness > 0 ? { unevenness: evenness } : {},
  };
}
