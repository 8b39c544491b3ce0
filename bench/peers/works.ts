/** The works of `npm run bench peers`. */
import { costOf, graph } from "../../src/graph/index.ts";
import { pairBatch, pretrainPairs, variants } from "../../src/models/flava/index.ts";
import { Params } from "../../src/nn/index.ts";
import { pairObjective } from "../../src/objectives/index.ts";
import { gradients } from "../../src/optim/index.ts";
import { baseSizes } from "../joint.ts";
import { forwardFlops } from "../layers.ts";
import type { ProductShape, Work } from "./work.ts";

const { hiddenSize: D, intermediateSize: F, heads: H } = variants.base.image;
const N = 197;

const FORMS = {
  forward: "x Wᵀ",
  inputGradient: "g W",
  weightGradient: "gᵀ x",
  scores: "q kᵀ",
  context: "p v",
} as const;

/** Each product of a ViT-B layer: three weights by three directions, and attention's two. */
export function productWorks(batch: number): Work[] {
  const rows = batch * N;
  const shapes: ProductShape[] = [];
  for (const form of ["forward", "inputGradient", "weightGradient"] as const)
    for (const [inner, out] of [
      [D, D],
      [D, F],
      [F, D],
    ] as const)
      shapes.push({ form, rows, inner, out });
  shapes.push({ form: "scores", rows: batch * H, inner: D / H, out: N });
  shapes.push({ form: "context", rows: batch * H, inner: N, out: D / H });
  return shapes.map(productWork);
}

function productWork(shape: ProductShape): Work {
  const { form, rows, inner, out } = shape;
  const ofAttention = form === "scores" || form === "context";
  return {
    kind: "product",
    name: `${form}_${inner}_${out}`,
    title: ofAttention
      ? `${FORMS[form]} of attention, ${rows} heads of ${N} × ${D / H}`
      : `${FORMS[form]}, weight (${out}, ${inner}), ${rows} rows`,
    flops: 2 * rows * inner * out * (ofAttention ? N : 1),
    shape,
  };
}

/** 12 ViT-B layers. */
export const stackWork = (kind: "forward" | "training", batch: number): Work => ({
  kind,
  name: kind,
  title: `12 ViT-B layers, ${kind === "forward" ? "forward" : "forward, backward and AdamW"}, batch ${batch}`,
  flops: (kind === "forward" ? 1 : 3) * forwardFlops(batch),
  batch,
});

/** The joint step of FLAVA-base on pairs. */
export function flavaWork(batch: number): Work {
  const p = new Params();
  const sizes = { config: variants.base, batch, ...baseSizes };
  const { loss } = pairObjective(pretrainPairs(p, variants.base, pairBatch(variants.base, sizes)));
  const { byOp } = costOf(graph("flava", { loss, ...gradients(loss, p.values()) }));
  const products = ["matmul", "conv2d", "conv2dInputGrad", "conv2dWeightGrad"] as const;
  return {
    kind: "flava",
    name: "flava",
    title: `joint step of FLAVA-base on ${batch} pairs: all losses, clip, AdamW`,
    flops: products.reduce((total, op) => total + (byOp[op]?.flops ?? 0), 0),
    batch,
  };
}
