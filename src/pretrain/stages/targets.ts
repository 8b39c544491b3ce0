/** How many targets a masked batch has: what a part of it weighs in the mean over the whole. */
import type { Feeds, Tensor } from "../../tensor/index.ts";

const count = (t: Tensor | undefined, isTarget: (x: number) => boolean): number =>
  t ? (t.data as Int32Array).reduce((n, x) => n + (isTarget(x) ? 1 : 0), 0) : 0;

/** Masked patches of a batch. */
export const patchTargets = (feeds: Feeds): number => count(feeds.mim_position_mask, (x) => x !== 0);

/** Masked tokens of a batch. */
export const tokenTargets = (feeds: Feeds): number => count(feeds.mlm_targets, (x) => x >= 0);
