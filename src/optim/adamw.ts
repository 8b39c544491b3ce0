/**
 * AdamW (Loshchilov & Hutter, arXiv:1711.05101), as graphs:
 *   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  p ← p(1 − lr·wd) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + eps)
 * Everything that is a scalar is combined before it meets a tensor: an engine makes one pass over memory per operation.
 */
import { NameError } from "../errors.ts";
import { add, div, input, mul, sqrt, sub, tanh, type Value } from "../graph/index.ts";
import { nearest, type Tensor, zerosLike } from "../tensor/index.ts";
import { type Clip, clip, scalarInput } from "./gradients.ts";
import { type GroupRule, groupOf } from "./groups.ts";

export interface AdamWOptions {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number | Value;
  readonly groups?: readonly GroupRule[];
  readonly clip?: Clip;
  /**
   * Names the counter of a parameter's updates; those of one counter are always updated together (see updateCounters). The
   * counters are state, and the bias corrections come from them. Needed where several programs update different parameters,
   * because t counts the updates of a parameter, not steps. Without it the host feeds the corrections.
   */
  readonly counters?: (parameter: string) => string;
  /** The state's name of what is updated in the place of a parameter or moment, where that is a part of it: flat, as `params` and `gradients` are. */
  readonly held?: (name: string) => string;
  /** Σg² of gradients of which only a part is given, by parameter. */
  readonly squares?: Readonly<Record<string, Value>>;
}

export interface Update {
  /** Next value of each parameter, moment and counter, by state name. */
  readonly updates: Readonly<Record<string, Value>>;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: Value;
  /** First values of moments and counters, by state name. */
  readonly initial: Readonly<Record<string, Tensor>>;
}

const BETAS = [0.9, 0.999] as const;

/** State names of a parameter's two moments, spelled as in torch's optimizer state. */
export const momentNames = (parameter: string): readonly [string, string] => [
  `optimizer.exp_avg.${parameter}`,
  `optimizer.exp_avg_sq.${parameter}`,
];

/** State name of a counter of updates. */
export const counterName = (counter: string): string => `optimizer.step.${counter}`;

/**
 * One counter for each set of programs that updates a parameter, from the names that each program updates:
 * `{ image: [encoder, mim_head], pair: [encoder] }` counts `encoder` by "image+pair" and `mim_head` by "image".
 */
export function updateCounters(updated: Readonly<Record<string, readonly string[]>>): (parameter: string) => string {
  const counters = new Map<string, string>();
  for (const [program, names] of Object.entries(updated))
    for (const name of names) counters.set(name, counters.has(name) ? `${counters.get(name)}+${program}` : program);
  return (parameter) => {
    const counter = counters.get(parameter);
    if (!counter)
      throw new NameError(`adamw: no program updates "${parameter}"`, nearest(parameter, [...counters.keys()]));
    return counter;
  };
}

/**
 * Scalars that the host feeds at update `step` (1, 2, …): `lr`, and without counters the bias corrections. They are
 * computed here, in float64: 1 − β₂ᵗ as it stands loses most of its digits in float32 at the first steps.
 */
export function adamwScalars(step: number, lr: number, options: AdamWOptions = {}): Record<string, number> {
  if (options.counters) return { lr };
  const [b1, b2] = options.betas ?? BETAS;
  return {
    lr,
    adam_step_size: (lr * Math.sqrt(1 - b2 ** step)) / (1 - b1 ** step),
    adam_root: Math.sqrt(1 - b2 ** step),
  };
}

/** What a parameter's update reads beside its own tensors. All scalars. */
interface Scalars {
  readonly stepSize: Value;
  /** √(v/c₂) + eps = (√v + eps·√c₂)/√c₂, with c₂ = 1 − β₂ᵗ: this is eps·√c₂. */
  readonly epsilon: Value;
}

/**
 * 1 − βᵗ, for t in float32, without cancellation: 1 − e⁻ᶻ = 2·tanh(z/2) / (1 + tanh(z/2)) with z = −t·ln β.
 * Within 1e-6, relative, of float64 on ONNX Runtime.
 */
export function biasCorrection(t: Value, beta: number): Value {
  const half = tanh(mul(t, -Math.log(beta) / 2));
  return div(mul(half, 2), add(half, 1));
}

/** The scalars of each parameter, and the next value of the counters that they come from. */
function scalars(lr: Value, { betas = BETAS, eps = 1e-8, counters }: AdamWOptions) {
  const updates: Record<string, Value> = {};
  const known = new Map<string, Scalars>();
  const fed = (): Scalars => ({ stepSize: scalarInput("adam_step_size"), epsilon: mul(scalarInput("adam_root"), eps) });
  const counted = (name: string): Scalars => {
    const t = add(scalarInput(name), 1);
    updates[name] = t;
    const root = sqrt(biasCorrection(t, betas[1]));
    return { stepSize: mul(lr, div(root, biasCorrection(t, betas[0]))), epsilon: mul(root, eps) };
  };
  const of = (parameter: string): Scalars => {
    const name = counters ? counterName(counters(parameter)) : "";
    const found = known.get(name) ?? (counters ? counted(name) : fed());
    known.set(name, found);
    return found;
  };
  return { of, updates };
}

/**
 * The update of all parameters that are not frozen. Feeds (see adamwScalars): `lr`, and without counters `adam_step_size`
 * and `adam_root`.
 */
export function adamw(
  params: Readonly<Record<string, Value>>,
  gradients: Readonly<Record<string, Value>>,
  options: AdamWOptions = {},
): Update {
  const { betas = BETAS, weightDecay = 0, groups = [], held = (name) => name } = options;
  const lr = scalarInput("lr");
  const { norm, factors } = clip(gradients, options.clip, options.squares);
  const shared = scalars(lr, options);
  const updates: Record<string, Value> = {};
  const initial: Record<string, Tensor> = {};
  for (const [name, g] of Object.entries(gradients)) {
    const group = groupOf(name, groups, weightDecay);
    if (group.frozen) continue;
    const { stepSize, epsilon } = shared.of(name);
    const p = params[name]!;
    const [mName, vName] = momentNames(name);
    const [m, v] = [input(held(mName), p.shape), input(held(vName), p.shape)];
    const s = factors[name]!;
    const m2 = add(mul(m, betas[0]), mul(g, mul(s, 1 - betas[0])));
    const v2 = add(mul(v, betas[1]), mul(mul(g, g), mul(mul(s, s), 1 - betas[1])));
    const size = group.lrScale === 1 ? stepSize : mul(stepSize, group.lrScale);
    updates[held(mName)] = m2;
    updates[held(vName)] = v2;
    updates[held(name)] = sub(
      decayed(p, lr, group.lrScale, group.weightDecay),
      mul(div(m2, add(sqrt(v2), epsilon)), size),
    );
    for (const state of [mName, vName]) initial[state] = zerosLike("float32", p.shape);
  }
  for (const counter of Object.keys(shared.updates)) initial[counter] = zerosLike("float32", []);
  return { updates: { ...updates, ...shared.updates }, gradNorm: norm, initial };
}

/** p·(1 − lr·wd), or p itself without decay. */
export function decayed(p: Value, lr: Value, lrScale: number | Value, weightDecay: number | Value): Value {
  if (weightDecay === 0) return p;
  const rate = lrScale === 1 ? lr : mul(lr, lrScale);
  return mul(p, sub(1, mul(rate, weightDecay)));
}
