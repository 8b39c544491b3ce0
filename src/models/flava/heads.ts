/** The head of image–text matching (arXiv:2112.04482 §3.2); those of masked prediction are in `nn/prediction-head.ts`. */
import type { Value } from "../../graph/index.ts";
import { linear, type Params, pooler } from "../../nn/index.ts";

/** Whether image and text belong together, multimodal states (B, M, D) → logits (B, 2); class 1 is "matched". */
export function itmHead(p: Params, states: Value): Value {
  return p.scope(() => linear(p.at("seq_relationship"), pooler(p.at("pooler"), states), 2));
}
