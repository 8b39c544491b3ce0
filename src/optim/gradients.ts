/** What happens to gradients between the backward pass and the update: the global norm, and clipping by it. */
import { add, div, type GradOptions, grad, input, isOp, minimum, mul, sqrt, sum, type Value } from "../graph/index.ts";

export interface Clip {
  /** Scales all gradients so that their joint L2 norm is at most this (Pascanu et al., arXiv:1211.5063). */
  readonly globalNorm?: number;
  /** Scales each gradient so that its own L2 norm is at most this (DINO). */
  readonly perParameter?: number;
}

/** So large that it never clips. */
const NEVER = 1e30;

const squares = (g: Value): Value => sum(mul(g, g));

/** min(1, limit / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ scales. */
const factor = (limit: number, norm: Value): Value => minimum(div(limit, add(norm, 1e-6)), 1);

export interface Clipped {
  /** √Σ‖g‖² over all gradients, before clipping. A scalar. */
  readonly norm: Value;
  /** What each gradient must be multiplied by, by parameter name. Scalars. */
  readonly factors: Readonly<Record<string, Value>>;
}

/**
 * The global norm and the factor of each gradient; of gradients that are here in part, `known` has Σg². Every factor depends on the global
 * norm, also without clipping: an update then follows every reader of every old parameter, which is what lets the runtime overwrite
 * parameters in place.
 */
export function clip(
  gradients: Readonly<Record<string, Value>>,
  options: Clip = {},
  known: Readonly<Record<string, Value>> = {},
): Clipped {
  const own = Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, known[name] ?? squares(g)]));
  const norm = sqrt(Object.values(own).reduce((a, b) => add(a, b)));
  const all = factor(options.globalNorm ?? NEVER, norm);
  const { perParameter } = options;
  const factors = Object.fromEntries(
    Object.entries(own).map(([name, s]) => [name, perParameter ? mul(all, factor(perParameter, sqrt(s))) : all]),
  );
  return { norm, factors };
}

/**
 * Gradients of a scalar by parameter name. Parameters that it does not depend on (an unused head, a frozen codebook) are left
 * out, so that an optimizer skips them: no decay, no moments, as torch does with gradients that are None. With
 * `checkpoints`, activations between them are computed again instead of kept (see grad).
 */
export function gradients(
  loss: Value,
  params: Readonly<Record<string, Value>>,
  options: GradOptions = {},
): Record<string, Value> {
  const all = grad(loss, Object.values(params), options);
  return Object.fromEntries(
    Object.keys(params).flatMap((name, i) => (isConstantZero(all[i]!) ? [] : [[name, all[i]!] as const])),
  );
}

/** What `grad` gives where there is no path: the constant 0, broadcast. */
function isConstantZero(g: Value): boolean {
  const source = isOp(g, "broadcastTo") ? g.inputs[0]! : g;
  return isOp(source, "constant") && source.shape.length === 0 && Number(source.attrs.value.data[0]) === 0;
}

/** A float32 scalar that the host feeds at each step. */
export const scalarInput = (name: string): Value => input(name, []);
