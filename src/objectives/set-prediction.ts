/** The loss of a set of boxes under the best assignment of predictions to targets (DETR, arXiv:2005.12872 §3.1; MMF's UniT). */
import {
  abs,
  add,
  cast,
  constant,
  div,
  equal,
  lessEqual,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  swapLast,
  type Value,
  where,
} from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { crossEntropy } from "./masked-cross-entropy.ts";
import { type BatchPart, overParts, shareOf } from "./parts.ts";

/** Predictions of a decoder's layer. */
export interface BoxSet {
  /** (B, Q, C + 1): the last is "none". */
  readonly logits: Value;
  /** (B, Q, 4): centre, width and height as shares of the picture. */
  readonly boxes: Value;
}

/** What is in the pictures of a batch. */
export interface BoxTargets {
  /** int (B, N): the class of each object; negative where there is none. */
  readonly classes: Value;
  /** (B, N, 4). */
  readonly boxes: Value;
}

/** Weights of the distance and of the overlap, in the cost of an assignment and in the loss; what "none" counts beside a class. */
const DISTANCE = 5;
const OVERLAP = 2;
const NONE = 0.1;

/** What each query costs as each target, (B, Q, N): 5·|b − b̂| − p(class) − 2·GIoU. No gradient is taken of it. */
export function assignmentCost({ logits, boxes }: BoxSet, targets: BoxTargets): Value {
  const { B, Q, C } = logits.dims("B Q C");
  const N = targets.classes.shape[1]!;
  const pair = (x: Value, of: "queries" | "targets"): Value =>
    reshape(x, of === "queries" ? [B, Q, 1, 4] : [B, 1, N, 4]);
  const [own, other] = [pair(boxes, "queries"), pair(targets.boxes, "targets")];
  const distance = sum(abs(sub(own, other)), [3]);
  const likely = matmul(softmax(logits), swapLast(oneHot(targets.classes, C, logits))); // (B, Q, N)
  return sub(sub(mul(distance, DISTANCE), likely), mul(giou(own, other), OVERLAP));
}

/** The losses of a set, with what they count. */
export interface SetLosses {
  readonly classes: Value;
  readonly distance: Value;
  readonly overlap: Value;
  /** (): 1·classes + 5·distance + 2·overlap. */
  readonly total: Value;
}

/**
 * Cross entropy over all queries, "none" counting a tenth, divided by what all count; over matched boxes the sum of |b − b̂| and that of
 * 1 − GIoU, each divided by their number, at least 1. `queries` int (B, N) are those of the targets.
 */
export function setLosses(
  { logits, boxes }: BoxSet,
  targets: BoxTargets,
  queries: Value,
  part: BatchPart = {},
): SetLosses {
  const { B, Q, C } = logits.dims("B Q C");
  const N = targets.classes.shape[1]!;
  const exists = cast(lessEqual(0, targets.classes), logits.dtype); // (B, N)
  const chosen = mul(oneHot(queries, Q, logits), reshape(exists, [B, N, 1])); // (B, N, Q)
  const matched = sum(chosen, [1]); // (B, Q)
  const named = sum(mul(chosen, reshape(cast(targets.classes, logits.dtype), [B, N, 1])), [1]);
  const wanted = where(lessEqual(0.5, matched), named, C - 1); // (B, Q)
  const weights = reshape(add(mul(matched, 1 - NONE), NONE), [B * Q]);
  const each = crossEntropy(reshape(logits, [B * Q, C]), reshape(cast(wanted, "int32"), [B * Q]));
  const classes = div(shareOf(sum(mul(each, weights)), part), overParts(sum(weights), part));
  const found = matmul(chosen, boxes); // (B, N, 4)
  const count = maximum(overParts(sum(exists), part), 1);
  const over = (x: Value): Value => div(shareOf(sum(mul(x, exists)), part), count);
  const distance = over(sum(abs(sub(found, targets.boxes)), [2]));
  const overlap = over(sub(1, giou(found, targets.boxes)));
  return { classes, distance, overlap, total: add(classes, add(mul(distance, DISTANCE), mul(overlap, OVERLAP))) };
}

/** (B, N) of whole numbers → (B, N, count), all 0 where none fits. */
function oneHot(ids: Value, count: number, like: Value): Value {
  const { B, N } = ids.dims("B N");
  const numbers = Array.from({ length: count }, (_, i) => i);
  const all = constant(fromNumbers(numbers, [1, 1, count], "int32"));
  return cast(equal(reshape(cast(ids, "int32"), [B, N, 1]), all), like.dtype);
}

/** Intersection over union, less the share of the hull that neither covers (Rezatofighi et al., arXiv:1902.09630): boxes (…, 4) → (…). */
export function giou(a: Value, b: Value): Value {
  const last = a.shape.length - 1;
  const number = (x: Value, i: number): Value => reshape(slice(x, last, i, i + 1), x.shape.slice(0, -1));
  const side = (x: Value, axis: 0 | 1) => {
    const [centre, half] = [number(x, axis), mul(number(x, 2 + axis), 0.5)];
    return { from: sub(centre, half), to: add(centre, half) };
  };
  const area = (x: Value): Value => mul(number(x, 2), number(x, 3));
  const [shared, hull] = ([0, 1] as const)
    .map((axis) => {
      const [one, other] = [side(a, axis), side(b, axis)];
      return [
        maximum(sub(minimum(one.to, other.to), maximum(one.from, other.from)), 0),
        maximum(sub(maximum(one.to, other.to), minimum(one.from, other.from)), 0),
      ] as const;
    })
    .reduce(([s, h], [t, g]) => [mul(s, t), mul(h, g)] as const);
  const union = sub(add(area(a), area(b)), shared);
  // Without a target both boxes may be empty: then nothing is divided by nothing.
  return sub(div(shared, maximum(union, 1e-12)), div(sub(hull, union), maximum(hull, 1e-12)));
}
