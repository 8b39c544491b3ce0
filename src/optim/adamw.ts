/**
 * AdamW (Loshchilov & Hutter, arXiv:1711.05101), as graphs:
 *   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  p ← p(1 − lr·wd) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + eps)
 * Everything that is a scalar is combined before it meets a tensor: an engine passes over memory once for each operation.
 */
import { add, div, input, mul, sqrt, sub, type Value } from "../graph/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import { type Clip, clip, scalarInput } from "./gradients.ts";
import { type GroupRule, groupOf } from "./groups.ts";

export interface AdamWOptions {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number | Value;
  readonly groups?: readonly GroupRule[];
  readonly clip?: Clip;
}

export interface Update {
  /** Next value of each parameter and moment, by state name. */
  readonly updates: Readonly<Record<string, Value>>;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: Value;
  /** First values of the moments, by state name. */
  readonly initial: Readonly<Record<string, Tensor>>;
}

const BETAS = [0.9, 0.999] as const;

/** State names of a parameter's two moments, spelled as in torch's optimizer state. */
export const momentNames = (parameter: string): readonly [string, string] => [
  `optimizer.exp_avg.${parameter}`,
  `optimizer.exp_avg_sq.${parameter}`,
];

/**
 * Scalars that the host feeds at update `step` (1, 2, …). The bias corrections are computed here, in float64: 1 − β₂ᵗ
 * loses most of its digits in float32 at the first steps.
 */
export function adamwScalars(step: number, lr: number, { betas = BETAS }: AdamWOptions = {}): Record<string, number> {
  const [b1, b2] = betas;
  return {
    lr,
    adam_step_size: (lr * Math.sqrt(1 - b2 ** step)) / (1 - b1 ** step),
    adam_root: Math.sqrt(1 - b2 ** step),
  };
}

/** The update of all parameters that are not frozen. Feeds: `lr`, `adam_step_size`, `adam_root` (see adamwScalars). */
export function adamw(
  params: Readonly<Record<string, Value>>,
  gradients: Readonly<Record<string, Value>>,
  options: AdamWOptions = {},
): Update {
  const { betas = BETAS, eps = 1e-8, weightDecay = 0, groups = [] } = options;
  const [lr, stepSize, root] = ["lr", "adam_step_size", "adam_root"].map(scalarInput) as [Value, Value, Value];
  const { norm, factors } = clip(gradients, options.clip);
  const epsilon = mul(root, eps); // √(v/c₂) + eps = (√v + eps·√c₂)/√c₂
  const updates: Record<string, Value> = {};
  const initial: Record<string, Tensor> = {};
  for (const [name, g] of Object.entries(gradients)) {
    const group = groupOf(name, groups, weightDecay);
    if (group.frozen) continue;
    const p = params[name]!;
    const [mName, vName] = momentNames(name);
    const [m, v] = [input(mName, p.shape), input(vName, p.shape)];
    const s = factors[name]!;
    const m2 = add(mul(m, betas[0]), mul(g, mul(s, 1 - betas[0])));
    const v2 = add(mul(v, betas[1]), mul(mul(g, g), mul(mul(s, s), 1 - betas[1])));
    const size = group.lrScale === 1 ? stepSize : mul(stepSize, group.lrScale);
    updates[mName] = m2;
    updates[vName] = v2;
    updates[name] = sub(decayed(p, lr, group.lrScale, group.weightDecay), mul(div(m2, add(sqrt(v2), epsilon)), size));
    for (const state of [mName, vName]) initial[state] = zerosLike("float32", p.shape);
  }
  return { updates, gradNorm: norm, initial };
}

/** p·(1 − lr·wd), or p itself without decay. */
export function decayed(p: Value, lr: Value, lrScale: number | Value, weightDecay: number | Value): Value {
  if (weightDecay === 0) return p;
  const rate = lrScale === 1 ? lr : mul(lr, lrScale);
  return mul(p, sub(1, mul(rate, weightDecay)));
}
