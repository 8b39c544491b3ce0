/** The logits of the rows that count, which Hugging Face alone returns: how many rows, and the sum of their logits. */
import { broadcastTo, mul, reshape, type Value } from "../../src/graph/index.ts";
import type { ParamSpec } from "../../src/nn/index.ts";
import { pairWeights } from "../../src/objectives/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { imageCase, type PairCase, pairCase, textCase, tinyConfig, tinySizes } from "./tiny-case.ts";

interface Rows {
  readonly logits: Value;
  readonly weights: Value;
}

export interface RestrictedExpectation {
  readonly name: string;
  readonly itmLabels?: readonly number[];
  readonly make: () => { readonly rows: Rows; readonly specs: Iterable<ParamSpec> };
  readonly rows: number;
  readonly sum: number;
}

/** A head's rows, with weight 0 where the pair does not count. */
function ofPairs(c: PairCase, { logits, weights }: Rows): Rows {
  const pairs = pairWeights(c.values.itm.labels!, c.values.itm.logits);
  const [B, R] = [pairs.shape[0]!, weights.shape[0]!];
  return { logits, weights: mul(weights, reshape(broadcastTo(reshape(pairs, [B, 1]), [B, R / B]), [R])) };
}

const pairs = (head: "mmm_image" | "mmm_text") => () => {
  const c = pairCase(tinyConfig, { ...tinySizes, attentionMask: true, itmLabels: true });
  return { rows: ofPairs(c, c.values[head]), specs: c.params.specs() };
};
const images = () => {
  const c = imageCase();
  return { rows: c.values.mim, specs: c.params.specs() };
};
const texts = () => {
  const c = textCase();
  return { rows: c.values.mlm, specs: c.params.specs() };
};

const [A, B] = [
  [1, 0, 1],
  [1, 1, 1],
];

export const restrictedExpectations: readonly RestrictedExpectation[] = [
  { name: "mmm_image, labels [1,0,1]", itmLabels: A, make: pairs("mmm_image"), rows: 8, sum: 18.377499394 },
  { name: "mmm_text, labels [1,0,1]", itmLabels: A, make: pairs("mmm_text"), rows: 3, sum: -9.3802839495 },
  { name: "mmm_image, labels [1,1,1]", itmLabels: B, make: pairs("mmm_image"), rows: 14, sum: 19.2419186306 },
  { name: "mmm_text, labels [1,1,1]", itmLabels: B, make: pairs("mmm_text"), rows: 4, sum: -10.0827573464 },
  { name: "mim", make: images, rows: 14, sum: 38.8053284137 },
  { name: "mlm", make: texts, rows: 4, sum: 9.3591999014 },
];

/** Rows of (R, V) where a weight is positive. */
export function restricted(logits: Tensor, weights: Tensor): { rows: number; sum: number } {
  const V = logits.shape[1]!;
  const chosen = [...weights.data.keys()].filter((r) => Number(weights.data[r]) > 0);
  const values = logits.data as Float64Array;
  return {
    rows: chosen.length,
    sum: chosen.reduce((s, r) => s + values.slice(r * V, (r + 1) * V).reduce((a, b) => a + b, 0), 0),
  };
}
