/** What the stages on the regions of a detector share: what is read of a picture, and whose losses count. */
import { z } from "zod";
import type { RegionBuild, TokenMasking } from "../../data/index.ts";
import { createRegionPairs, type EvaluationContext, type Evaluator, type PairSet } from "../../evaluators/index.ts";
import { broadcastTo, cast, equal, mul, reshape, type Value } from "../../graph/index.ts";
import { maskedWordsAt } from "../../models/index.ts";
import { type Classification, maskedCrossEntropy, pairWeights } from "../../objectives/index.ts";
import { regionWords } from "../../pictures/index.ts";
import type { Part } from "../../train/index.ts";
import { whole } from "../recipe/parts-schema.ts";
import type { HeldOut, Report, StageBase, StageKind } from "./stage.ts";

/** Which regions a stage reads. */
export interface RegionChoice {
  readonly most: number;
  readonly grid: number | null;
}

/** The fields of a recipe, with the defaults of one stage. */
export const regionChoice = (most: number): z.ZodPrefault<z.ZodType<RegionChoice>> =>
  z
    .strictObject({
      most: whole.default(most).describe("The first so many regions of a picture are read."),
      grid: whole
        .nullable()
        .default(null)
        .describe(
          "For pictures that no detector saw: the cells of a grid stand for regions, so many along a side. null: the data are region features.",
        ),
    })
    .prefault({});

/** Reports a grid that the model's features cannot be of. */
export function checkGrid(features: number, { grid, most }: RegionChoice, report: Report): void {
  if (grid === null) return;
  const side = Math.sqrt(features / 3);
  if (!Number.isInteger(side))
    report(
      ["regions", "grid"],
      `a cell of n × n pixels has 3·n² numbers, and model.regions.features is ${features}: expected 12, 27, 48, 75, 108 or the like`,
    );
  if (grid * grid > most) report(["regions", "most"], `${grid} × ${grid} cells are more than ${most} regions`);
}

/** How batches are built of such a choice. */
export const regionBuild = ({ most, grid }: RegionChoice, rest: Omit<RegionBuild, "most" | "grid">): RegionBuild => ({
  most,
  grid,
  ...rest,
});

/** 1 for the pairs that belong together, (B); for all where none does. */
export const matchedPairs = (mismatch: Value, like: Value, part: Part): Value =>
  pairWeights(cast(equal(mismatch, 0), "int32"), like, part);

/** Masked words of the pairs that `counted` (B) counts, of text states (B, T, D). */
export function maskedWords(
  states: Value,
  {
    tokens,
    counted,
    head,
  }: { readonly tokens: number; readonly counted?: Value | undefined; head(rows: Value): Value },
  part: Part,
): Classification {
  const rows = maskedWordsAt(states, { batch: states.shape[0]!, maskedTokens: tokens }, head);
  return maskedCrossEntropy(counted ? { ...rows, weights: mul(rows.weights, spread(counted, tokens)) } : rows, part);
}

/** Of each pair, so many times in turn: (B) → (B·n). */
export const spread = (pairs: Value, n: number): Value => {
  const B = pairs.shape[0]!;
  return reshape(broadcastTo(reshape(pairs, [B, 1]), [B, n]), [B * n]);
};

/** What is measured and drawn of a stage on regions. */
interface RegionStage extends StageBase {
  readonly textLength: number;
  readonly masking: TokenMasking;
  readonly regions: RegionChoice;
  readonly lossWeights: { readonly mlm: number };
}

/** Evaluators and pictures: masked words where they are trained, matching where `matches`. */
export function regionMeasures<S extends RegionStage>(
  matches: (stage: S) => boolean,
): Pick<StageKind<S, never>, "evaluators" | "test" | "pictures"> {
  const masked = ({ lossWeights, masking }: S): TokenMasking | undefined => (lossWeights.mlm > 0 ? masking : undefined);
  const pairsOf = (
    context: EvaluationContext,
    stage: S,
    { onBad, ...set }: { readonly name: string; readonly pairs: PairSet } & Partial<Pick<HeldOut, "onBad">>,
  ): Evaluator => {
    const { textLength, regions } = stage;
    const about = { textLength, regions, matching: matches(stage), masking: masked(stage), onBad };
    return createRegionPairs(context, { ...set, ...about });
  };
  return {
    evaluators: (context, { validation, onBad }, stage) =>
      Object.entries(validation).map(([name, pairs]) => pairsOf(context, stage, { name, pairs, onBad })),
    test: pairsOf,
    async *pictures(drawing, stage) {
      const masking = masked(stage);
      if (masking) yield ["50-words-in-pairs", await regionWords(drawing, stage, masking)];
    },
  };
}
