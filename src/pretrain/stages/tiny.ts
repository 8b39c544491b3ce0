/** How `--tiny` shrinks what several kinds of stages have. */
import type { PatchMasking } from "../../data/index.ts";
import { TINY_FLAVA } from "../../models/flava/index.ts";
import { gridSize } from "../../models/vit/index.ts";
import type { Ramp, Recipe } from "../recipe/types.ts";

/** The sizes of `--tiny`. */
export const TINY: { readonly steps: number; readonly batchSize: number } & typeof TINY_FLAVA = {
  steps: 6,
  batchSize: 8,
  ...TINY_FLAVA,
};

/** The same ramp, over by the end of a tiny stage. */
export const tinyRamp = (ramp: Ramp): Ramp => ({ ...ramp, steps: Math.min(ramp.steps, TINY.steps) });

/** The same share of the patches, in blocks of two or more. `recipe` has the sizes from before. */
export function tinyMasking({ model }: Recipe, masking: PatchMasking): PatchMasking {
  const patches = Math.max(1, Math.round((masking.patches / gridSize(model.image) ** 2) * TINY.grid ** 2));
  return { ...masking, patches, minBlock: Math.min(2, patches), maxBlock: null };
}
