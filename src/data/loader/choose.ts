/** Which data set a step reads: FLAVA samples one per update, the whole batch from it (§3.4, supplement Tab. A.1). */
import { ConfigError } from "../../errors.ts";
import { random } from "../../tensor/index.ts";

/** The number of the data set that step `step` reads, drawn with the given ratios. A function of (seed, step, ratios) alone. */
export function chooseDataset(seed: number, step: number, ratios: readonly number[]): number {
  return pickWeighted(ratios, random(seed, "dataset", step).uniform());
}

/** The index whose share of the weights holds `u` (0 ≤ u < 1). Throws ConfigError unless some weight is positive. */
export function pickWeighted(weights: readonly number[], u: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0 && Number.isFinite(total) && weights.every((weight) => weight >= 0)))
    throw new ConfigError(`sampling ratios: expected numbers ≥ 0 with a sum above 0, got ${weights.join(", ")}`);
  let left = u * total;
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0 && weight > 0) return i;
  }
  return weights.findLastIndex((weight) => weight > 0);
}
