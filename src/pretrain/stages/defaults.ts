/**
 * What a stage of a model smaller than base takes where the recipe says nothing: lengths, masks and crops by the sizes of the model;
 * steps, batches, learning rates and ramps by its variant. The schemas hold what base takes, which is the papers'.
 */
import type { FlavaConfig } from "../../models/flava/index.ts";
import { gridSize } from "../../models/vit/index.ts";

type Raw = Readonly<Record<string, unknown>>;

/** What the defaults of a stage follow. */
export interface DefaultsFor<C = FlavaConfig> {
  readonly model: C;
  readonly variant: string;
  /** What the recipe says of the stage. */
  readonly stage: Raw;
}

/** A variant whose runs are not the papers' has a row here. Batches are samples; the steps are of a run that ends within an hour or so. */
interface Scale {
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
}

/** By kind of stage and variant. */
export interface Scales {
  readonly tiny: Scale;
  readonly small: Scale;
}

/** Of stages on pairs. */
export const PAIR_SCALES: Scales = {
  tiny: { steps: 300, batchSize: 16, lr: 2e-3 },
  small: { steps: 1200, batchSize: 64, lr: 1e-3 },
};

interface WithPositions {
  readonly text: { readonly maxPositions: number };
}

/** Tokens of a text: as many as asked, where the model has as many positions. */
export const tokensFor = ({ model }: Pick<DefaultsFor<WithPositions>, "model">, tokens: number): number =>
  Math.min(tokens, model.text.maxPositions);

/** BEiT's 75 of 196 patches, in blocks of 16 or more, as shares of the model's own grid. */
export function maskFor({ model }: DefaultsFor): { readonly patches: number; readonly minBlock: number } {
  const all = gridSize(model.image) ** 2;
  const patches = Math.max(1, Math.round((75 / 196) * all));
  return { patches, minBlock: Math.min(patches, Math.max(1, Math.round((16 / 196) * all))) };
}

/** DINO's crops of 96 in 224 pixels, in whole patches, and its head as wide beside the encoder as beside 768. */
export function dinoFor({ model }: DefaultsFor): Raw {
  const { hiddenSize, imageSize, patchSize } = model.image;
  const crop = Math.max(1, Math.round(((96 / 224) * imageSize) / patchSize)) * patchSize;
  const wide = (size: number): number => Math.max(16, Math.round((size * hiddenSize) / 768));
  const outputSize = Math.min(65_536, Math.max(64, Math.round(65_536 * (hiddenSize / 768) ** 2)));
  return {
    localCrops: { size: crop },
    head: { hiddenSize: wide(2048), bottleneckSize: wide(256), outputSize },
  };
}

/** How long a stage is, and what follows from that: warm-up, evaluations, checkpoints. Nothing where the variant has no row. */
export function scaleFor(
  { variant, stage }: Pick<DefaultsFor, "variant" | "stage">,
  scales: Scales,
): { readonly steps: number; readonly raw: Raw } {
  const own = Object.hasOwn(scales, variant) ? scales[variant as keyof Scales] : undefined;
  const given = typeof stage.steps === "number" && stage.steps >= 1 ? Math.floor(stage.steps) : undefined;
  if (own === undefined) return { steps: given ?? 0, raw: {} };
  const steps = given ?? own.steps;
  const half = Math.max(1, Math.ceil(steps / 2));
  return {
    steps,
    raw: {
      steps,
      batchSize: own.batchSize,
      optimizer: { lr: own.lr },
      schedule: { warmupSteps: Math.round(steps / 20), decaySteps: null },
      every: { eval: half, save: half },
    },
  };
}

/** The share of a stage's steps, at least one. */
export const shareOf = (steps: number, share: number): number => Math.max(1, Math.round(steps * share));
