/** What the stages on the regions of a detector share: what is read of a picture, and whose losses count. */
import { z } from "zod";
import type { RegionBuild } from "../../data/index.ts";
import { broadcastTo, cast, equal, input, mul, reshape, type Value } from "../../graph/index.ts";
import { tokensAt } from "../../nn/index.ts";
import { type Classification, maskedCrossEntropy, pairWeights } from "../../objectives/index.ts";
import type { Part } from "../../train/index.ts";
import { whole } from "../recipe/parts-schema.ts";
import type { Report } from "./stage.ts";

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
  const B = states.shape[0]!;
  const [positions, labels] = ["mlm_positions", "mlm_targets"].map((name) => input(name, [B, tokens], "int32"));
  const logits = head(tokensAt(states, positions!, 0));
  const flat = reshape(labels!, [B * tokens]);
  const known = cast(equal(cast(equal(flat, -100), "int32"), 0), logits.dtype);
  const weights = counted ? mul(known, spread(counted, tokens)) : known;
  return maskedCrossEntropy({ logits, targets: mul(flat, cast(known, "int32")), weights }, part);
}

/** Of each pair, so many times in turn: (B) → (B·n). */
export const spread = (pairs: Value, n: number): Value => {
  const B = pairs.shape[0]!;
  return reshape(broadcastTo(reshape(pairs, [B, 1]), [B, n]), [B * n]);
};
