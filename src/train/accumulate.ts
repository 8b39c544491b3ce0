/**
 * The step of an objective in micro-batches: one program that adds up the gradients of a part of the batch, one that applies the
 * sum, and where a loss compares samples the cut of gradient caching (Gao et al., arXiv:2101.06983). Each loss is a mean over
 * its targets, so a part weighs as much as it has of them: the sum is the gradient of the whole batch.
 */
import { add, constant, input, mul, type Program, sum, type Value } from "../graph/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { gradients, scalarInput } from "../optim/index.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import { joined, type Losses, type Objective } from "./plan.ts";
import { keeping, optimizerStep, type Updating } from "./step.ts";

/** The programs of one step, in the order in which they run; `micro` once for each part. */
export interface MicroGraphs {
  readonly embed?: Program | undefined;
  readonly contrast?: Program | undefined;
  readonly micro: Program;
  readonly apply: Program;
  readonly specs: readonly ParamSpec[];
  readonly trained: readonly string[];
  /** First values of moments and of the sums. */
  readonly initial: Readonly<Record<string, Tensor>>;
  readonly found: Losses;
}

/** Where sums over micro-batches live in the state. */
const sumName = (name: string): string => `accumulated.${name}`;

/** The feed that says what a part weighs in the mean of a loss. */
export const weightName = (loss: string): string => `weight.${loss}`;

/** The feed that holds the gradient of the contrast by an embedding. */
export const embedGradient = (embed: string): string => `gradient.${embed}`;

/** 0 for the first part of a step, 1 for the others: what was in the sums before counts as little or as much. */
export const KEEP = "accumulated_before";

/** An objective cut into parts: the gradients of one, and the programs of the contrast. */
export interface TracedParts {
  readonly p: Params;
  readonly part: MicroPart;
  readonly cut: ContrastCut | undefined;
  readonly samples: number;
  readonly trained: readonly string[];
}

/** Forward and backward of an objective on one of `parts` micro-batches. */
export function traceParts(name: string, objective: Objective, parts: number, recompute: boolean): TracedParts {
  const samples = objective.batchSize / parts;
  const p = new Params();
  const part = microProgram(name, objective, p, { samples, recompute });
  const cut = objective.contrast && contrastPrograms(name, objective, p);
  return { p, part, cut, samples, trained: [...new Set([...part.trained, ...(cut?.trained ?? [])])] };
}

/** The programs of an objective that was traced in parts. */
export function microSteps(
  name: string,
  { p, part, cut, samples, trained }: TracedParts,
  updating: Updating,
): MicroGraphs {
  const values = p.values();
  const sums = Object.fromEntries(trained.map((n) => [n, input(sumName(n), values[n]!.shape)]));
  const { updates, initial, gradNorm } = optimizerStep(values, sums, updating);
  const { statistics = {} } = part.found;
  const summed = Object.entries(statistics).map(([n, v]) => [n, input(sumName(n), v.shape)] as const);
  const carried = updating.plan.carried?.next(Object.fromEntries(summed)) ?? {};
  const apply = { name: `${name}.apply`, outputs: { grad_norm: gradNorm }, updates: { ...updates, ...carried } };
  const zeros = [...trained.map((n) => [n, values[n]!] as const), ...Object.entries(statistics)];
  return {
    embed: cut?.embed(samples),
    contrast: cut?.contrast,
    micro: part.program,
    apply,
    specs: p.specs(),
    trained,
    initial: {
      ...initial,
      ...Object.fromEntries(zeros.map(([n, v]) => [sumName(n), zerosLike("float32", v.shape)])),
    },
    found: cut ? joined(part.found, cut.found) : part.found,
  };
}

interface MicroPart {
  readonly found: Losses;
  readonly program: Program;
  readonly trained: readonly string[];
}

/** Adds the gradients of one part to the sums. */
function microProgram(
  name: string,
  { contrast, ...objective }: Objective,
  p: Params,
  { samples, recompute }: { readonly samples: number; readonly recompute: boolean },
): MicroPart {
  const found = objective.losses(p, samples);
  const terms = Object.entries(found.losses).map(([loss, value]) => mul(value, scalarInput(weightName(loss))));
  for (const [embed, value] of Object.entries((contrast && (found.embeds ?? contrast.embed(p, samples))) ?? {}))
    terms.push(sum(mul(value, input(embedGradient(embed), value.shape))));
  const loss = terms.reduce((a, b) => add(a, b));
  const values = p.values();
  const by = gradients(loss, values, keeping(found, recompute));
  const share = scalarInput(weightName("samples"));
  const statistics = Object.entries(found.statistics ?? {}).map(([n, v]) => [n, mul(v, share)] as const);
  const updates = Object.fromEntries(
    [...Object.entries(by), ...statistics].map(([n, g]) => [sumName(n), added(sumName(n), g)]),
  );
  const outputs = { ...found.losses, ...found.metrics };
  const program: Program = { name: `${name}.micro`, outputs: withOutput(outputs, loss), updates };
  return { found, program, trained: Object.keys(by) };
}

const added = (state: string, g: Value): Value => add(mul(input(state, g.shape), scalarInput(KEEP)), g);

/** A program without a loss of its own (contrast alone) still needs a result to wait for. */
const withOutput = (outputs: Record<string, Value>, loss: Value): Record<string, Value> =>
  Object.keys(outputs).length > 0 ? outputs : { partial: loss };

interface ContrastCut {
  readonly found: Losses;
  readonly trained: readonly string[];
  readonly contrast: Program;
  embed(samples: number): Program;
}

/** The two programs of the cut: embeddings of a part, and the loss on all embeddings with its gradient by each. */
function contrastPrograms(name: string, objective: Objective, p: Params): ContrastCut {
  const contrast = objective.contrast!;
  const widths = contrast.embed(new Params(), 1);
  const embeds = Object.fromEntries(
    Object.entries(widths).map(([embed, value]) => [embed, input(embed, [objective.batchSize, value.shape[1]!])]),
  );
  const found = contrast.losses(p, embeds);
  const loss = Object.values(found.losses).reduce((a, b) => add(a, b));
  const by = gradients(loss, { ...p.values(), ...embeds });
  const outputs: Record<string, Value> = { ...found.losses, ...found.metrics };
  for (const embed of Object.keys(embeds)) outputs[embedGradient(embed)] = by[embed] ?? zeroLike(embeds[embed]!);
  const trained = Object.keys(by).filter((n) => !Object.hasOwn(embeds, n));
  // This program is the first of a step to write these sums, so it replaces what they held.
  const updates = Object.fromEntries(trained.map((n) => [sumName(n), by[n]!]));
  return {
    found,
    trained,
    contrast: { name: `${name}.contrast`, outputs, updates },
    embed: (samples) => ({ name: `${name}.embed`, outputs: contrast.embed(new Params(), samples), updates: {} }),
  };
}

const zeroLike = (x: Value): Value => mul(x, constant(0));
