/** Small stacks of linear layers. */
import type { Value } from "../graph/index.ts";
import { activations } from "./activation.ts";
import { linear } from "./linear.ts";
import type { Params } from "./params.ts";

/**
 * Linear layers with an activation between them (none after the last), named 0, 2, 4, … as in a torch `Sequential` of
 * layers and activations: x (…, in) → (…, widths.at(-1)).
 */
export function mlp(p: Params, x: Value, widths: readonly number[], activation: "gelu" | "relu" = "gelu"): Value {
  return widths.reduce((h, width, i) => linear(p.at(2 * i), i === 0 ? h : activations[activation](h), width), x);
}
