/** Stochastic gradient descent with momentum: b ← μb + g + wd·p, p ← p − lr·b (Sutskever et al. 2013, torch's form). */
import { add, input, mul, sub, type Value } from "../graph/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import type { Update } from "./adamw.ts";
import { type Clip, clip, scalarInput } from "./gradients.ts";
import { type GroupRule, groupOf } from "./groups.ts";

export interface SgdOptions {
  readonly momentum?: number;
  readonly weightDecay?: number | Value;
  readonly groups?: readonly GroupRule[];
  readonly clip?: Clip;
}

/** The update of all parameters that are not frozen. Feed: `lr`. */
export function sgd(
  params: Readonly<Record<string, Value>>,
  gradients: Readonly<Record<string, Value>>,
  options: SgdOptions = {},
): Update {
  const { momentum = 0, weightDecay = 0, groups = [] } = options;
  const lr = scalarInput("lr");
  const { norm, factors } = clip(gradients, options.clip);
  const updates: Record<string, Value> = {};
  const initial: Record<string, Tensor> = {};
  for (const [name, gradient] of Object.entries(gradients)) {
    const group = groupOf(name, groups, weightDecay);
    if (group.frozen) continue;
    const p = params[name]!;
    let g = mul(gradient, factors[name]!);
    if (group.weightDecay !== 0) g = add(g, mul(p, group.weightDecay));
    if (momentum !== 0) {
      const buffer = `optimizer.momentum_buffer.${name}`;
      g = add(mul(input(buffer, p.shape), momentum), g);
      updates[buffer] = g;
      initial[buffer] = zerosLike("float32", p.shape);
    }
    updates[name] = sub(p, mul(g, group.lrScale === 1 ? lr : mul(lr, group.lrScale)));
  }
  return { updates, gradNorm: norm, initial };
}
