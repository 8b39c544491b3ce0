/** Batch normalisation of images (Ioffe & Szegedy, arXiv:1502.03167), with the names of torch's BatchNorm2d. */
import { add, allGather, concat, div, mean, mul, reshape, slice, sqrt, sub, type Value } from "../graph/index.ts";
import { ones, zeros } from "./init.ts";
import type { Params } from "./params.ts";

export interface BatchNormOptions {
  eps?: number;
  /**
   * "batch": by the mean and the biased variance of the whole batch, of all its parts, which are observed for the running ones; "running": by those, as in use;
   * "frozen": the same, and weight and bias get no gradient (DETR).
   */
  statistics: "batch" | "running" | "frozen";
}

/** weight·(x − mean)/√(variance + eps) + bias by channel: (B, C, H, W) → the same. */
export function batchNorm(p: Params, x: Value, { eps = 1e-5, statistics }: BatchNormOptions): Value {
  return p.scope(() => {
    const { B, C, H, W } = x.dims("B C H W");
    const by = (v: Value): Value => reshape(v, [1, C, 1, 1]);
    const tensors =
      statistics === "frozen" ? (name: string, init: typeof ones) => p.buffer(name, [C], init) : undefined;
    const get = tensors ?? ((name: string, init: typeof ones) => p.get(name, [C], init));
    const [weight, bias] = [get("weight", ones), get("bias", zeros)];
    const running = { mean: p.buffer("running_mean", [C], zeros), variance: p.buffer("running_var", [C], ones) };
    const [centre, variance] =
      statistics === "batch" ? ofBatch(p, x).map(by) : [by(running.mean), by(running.variance)];
    if (statistics === "batch") {
      const n = p.parts * B * H * W;
      p.observe("running_mean", reshape(centre!, [C]));
      p.observe("running_var", mul(reshape(variance!, [C]), n / Math.max(1, n - 1))); // unbiased, as torch keeps it
    }
    return add(mul(div(sub(x, centre!), sqrt(add(variance!, eps))), by(weight)), by(bias));
  });
}

/**
 * Mean and biased variance of each channel, (C) both. Of a batch in parts they come from those of each part: the variance is the mean of the parts'
 * and the variance of their means (Chan et al. 1979), which loses no digits where means are large, as sums of squares would.
 */
function ofBatch({ parts }: Params, x: Value): [mean: Value, variance: Value] {
  const C = x.shape[1]!;
  const [own, spread] = moments(x, [0, 2, 3]);
  if (parts === 1) return [own, spread];
  const all = allGather(reshape(concat([own, spread], 1), [1, 2, C]), parts);
  const of = (i: number): Value => reshape(slice(all, 1, i, i + 1), [parts, C]);
  const [centre, between] = moments(of(0), [0]);
  return [centre, add(mean(of(1), [0], { keep: true }), between)];
}

/** The mean over some axes, kept, and the biased variance. */
function moments(x: Value, axes: number[]): [Value, Value] {
  const centre = mean(x, axes, { keep: true });
  const centred = sub(x, centre);
  return [centre, mean(mul(centred, centred), axes, { keep: true })];
}
