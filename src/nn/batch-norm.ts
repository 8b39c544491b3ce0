/** Batch normalisation of images (Ioffe & Szegedy, arXiv:1502.03167), with the names of torch's BatchNorm2d. */
import { add, div, mean, mul, reshape, sqrt, sub, type Value } from "../graph/index.ts";
import { ones, zeros } from "./init.ts";
import type { Params } from "./params.ts";

export interface BatchNormOptions {
  eps?: number;
  /**
   * "batch": by the mean and the biased variance of the batch, which are observed for the running ones; "running": by those, as in use;
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
    const batch = statistics === "batch";
    const centre = batch ? mean(x, [0, 2, 3], { keep: true }) : by(running.mean);
    const centred = sub(x, centre);
    const variance = batch ? mean(mul(centred, centred), [0, 2, 3], { keep: true }) : by(running.variance);
    if (batch) {
      const n = B * H * W;
      p.observe("running_mean", reshape(centre, [C]));
      p.observe("running_var", mul(reshape(variance, [C]), n / Math.max(1, n - 1))); // unbiased, as torch keeps it
    }
    return add(mul(div(centred, sqrt(add(variance, eps))), by(weight)), by(bias));
  });
}
