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
import { checkLength, checkSource } from "./checks.ts";
import { PAIR_SCALES, scaleFor, tokensFor } from "./defaults.ts";
import type { HeldOut, Report, StageBase, StageKind, Unplaced } from "./stage.ts";
import { TINY } from "./tiny.ts";

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
function checkGrid(features: number, { grid, most }: RegionChoice, report: Report): void {
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

/** What the stages on regions have alike. */
interface RegionStage extends StageBase {
  readonly textLength: number;
  readonly masking: TokenMasking;
  readonly regions: RegionChoice;
  readonly lossWeights: Readonly<Record<string, number>> & { readonly mlm: number };
}

/** Models on regions. */
interface RegionModel {
  readonly text: { readonly maxPositions: number };
  readonly regions: { readonly features: number };
}

/** Losses times their weights, and what they are for a model that knows nothing; without those of weight 0. */
export function weighted<N extends string>(
  losses: Readonly<Record<N, { readonly loss: Value; readonly chance: number }>>,
  weights: Readonly<Record<N, number>>,
): { readonly losses: Record<string, Value>; readonly chance: Record<string, number> } {
  const used = (Object.keys(losses) as N[]).filter((name) => weights[name] > 0);
  const scaled = (loss: Value, weight: number): Value => (weight === 1 ? loss : mul(loss, weight));
  return {
    losses: Object.fromEntries(used.map((name) => [name, scaled(losses[name].loss, weights[name])])),
    chance: Object.fromEntries(used.map((name) => [name, weights[name] * losses[name].chance])),
  };
}

/** Reports what contradicts the recipe in any stage on regions. */
export function checkRegionStage<C extends RegionModel>(recipe: Unplaced<C>, stage: RegionStage, report: Report): void {
  checkSource(recipe, "pairs", report);
  checkLength(recipe, stage.textLength, report, ["textLength"]);
  checkGrid(recipe.model.regions.features, stage.regions, report);
  if (Object.values(stage.lossWeights).every((weight) => weight === 0))
    report(["lossWeights"], "every loss has weight 0: nothing would be trained");
}

/** All of a kind of stage on regions that is not its own; `tokens` of a text at base size, matching measured where `matches`. */
export const regionStage = <S extends RegionStage, C extends RegionModel>(
  tokens: number,
  matches: (stage: S) => boolean,
): Pick<
  StageKind<S, C>,
  "gives" | "startsFrom" | "defaults" | "reads" | "tiny" | "evaluators" | "test" | "pictures" | "lossWeights"
> => ({
  gives: ["model"],
  startsFrom: ["model"],
  defaults: (given) => ({
    ...scaleFor(given, PAIR_SCALES).raw,
    textLength: tokensFor(given, tokens),
  }),
  reads: ({ steps, batchSize }) => ({ pairs: steps * batchSize }),
  tiny: (stage) => ({ ...stage, textLength: TINY.tokens }),
  ...regionMeasures(matches),
  lossWeights: ({ lossWeights }) => ({ ...lossWeights }),
});

/** Evaluators and pictures: masked words where they are trained, matching where `matches`. */
function regionMeasures<S extends RegionStage, C>(
  matches: (stage: S) => boolean,
): Pick<StageKind<S, C>, "evaluators" | "test" | "pictures"> {
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
