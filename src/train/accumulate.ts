/**
 * The step of a kind in micro-batches: one program that adds up the gradients of a part of the batch, one that applies the
 * sum, and where a loss compares samples the cut of gradient caching (Gao et al., arXiv:2101.06983). Each loss is a mean over
 * its targets, so a part weighs as much as it has of them: the sum is the gradient of the whole batch.
 */
import { add, constant, input, mul, type Program, sum, type Value } from "../graph/index.ts";
import { type ParamSpec, Params } from "../nn/index.ts";
import { gradients, scalarInput } from "../optim/index.ts";
import type { Stage } from "../pretrain/recipe/types.ts";
import { type Tensor, zerosLike } from "../tensor/index.ts";
import type { BatchKind, Judged, StagePlan } from "./stage.ts";
import { type Counters, keeping, optimizerStep } from "./step.ts";

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
  readonly judged: Judged;
}

/** Where sums over micro-batches live in the state. */
const sumName = (name: string): string => `accumulated.${name}`;

/** The feed that says what a part weighs in the mean of a loss. */
export const weightName = (loss: string): string => `weight.${loss}`;

/** The feed that holds the gradient of the contrast by an embedding. */
export const embedGradient = (embed: string): string => `gradient.${embed}`;

/** 0 for the first part of a step, 1 for the others: what was in the sums before counts as little or as much. */
export const KEEP = "accumulated_before";

/** A kind cut into parts: the gradients of one, and the programs of the contrast. */
export interface TracedParts {
  readonly p: Params;
  readonly part: MicroPart;
  readonly cut: ContrastCut | undefined;
  readonly samples: number;
  readonly trained: readonly string[];
}

/** Forward and backward of a kind on one of `parts` micro-batches. */
export function traceParts(name: string, kind: BatchKind, parts: number, recompute: boolean): TracedParts {
  const samples = kind.batchSize / parts;
  const p = new Params();
  const part = microProgram(name, kind, p, samples, recompute);
  const cut = kind.contrast && contrastPrograms(name, kind, p);
  return { p, part, cut, samples, trained: [...new Set([...part.trained, ...(cut?.trained ?? [])])] };
}

/** The programs of a kind that was traced in parts. */
export function microSteps(
  name: string,
  { p, part, cut, samples, trained }: TracedParts,
  stage: Stage,
  plan: StagePlan,
  counters: Counters,
): MicroGraphs {
  const values = p.values();
  const sums = Object.fromEntries(trained.map((n) => [n, input(sumName(n), values[n]!.shape)]));
  const { updates, initial, gradNorm } = optimizerStep(values, sums, stage, plan, counters);
  const { statistics = {} } = part.judged;
  const summed = Object.entries(statistics).map(([n, v]) => [n, input(sumName(n), v.shape)] as const);
  const carried = plan.carried?.next(Object.fromEntries(summed)) ?? {};
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
    judged: cut ? merged(part.judged, cut.judged) : part.judged,
  };
}

const merged = (a: Judged, b: Judged): Judged => ({
  ...a,
  losses: { ...a.losses, ...b.losses },
  metrics: { ...a.metrics, ...b.metrics },
  chance: { ...a.chance, ...b.chance },
});

interface MicroPart {
  readonly judged: Judged;
  readonly program: Program;
  readonly trained: readonly string[];
}

/** Adds the gradients of one part to the sums. */
function microProgram(name: string, kind: BatchKind, p: Params, samples: number, recompute: boolean): MicroPart {
  const judged = kind.judge(p, samples);
  const terms = Object.entries(judged.losses).map(([loss, value]) => mul(value, scalarInput(weightName(loss))));
  for (const [embed, value] of Object.entries(kind.contrast?.embed(p, samples) ?? {}))
    terms.push(sum(mul(value, input(embedGradient(embed), value.shape))));
  const loss = terms.reduce((a, b) => add(a, b));
  const values = p.values();
  const found = gradients(loss, values, keeping(judged, recompute));
  const share = scalarInput(weightName("samples"));
  const statistics = Object.entries(judged.statistics ?? {}).map(([n, v]) => [n, mul(v, share)] as const);
  const updates = Object.fromEntries(
    [...Object.entries(found), ...statistics].map(([n, g]) => [sumName(n), added(sumName(n), g)]),
  );
  const outputs = { ...judged.losses, ...judged.metrics };
  const program: Program = { name: `${name}.micro`, outputs: withOutput(outputs, loss), updates };
  return { judged, program, trained: Object.keys(found) };
}

const added = (state: string, g: Value): Value => add(mul(input(state, g.shape), scalarInput(KEEP)), g);

/** A program without a loss of its own (contrast alone) still needs a result to wait for. */
const withOutput = (outputs: Record<string, Value>, loss: Value): Record<string, Value> =>
  Object.keys(outputs).length > 0 ? outputs : { partial: loss };

interface ContrastCut {
  readonly judged: Judged;
  readonly trained: readonly string[];
  readonly contrast: Program;
  embed(samples: number): Program;
}

/** The two programs of the cut: embeddings of a part, and the loss on all embeddings with its gradient by each. */
function contrastPrograms(name: string, kind: BatchKind, p: Params): ContrastCut {
  const contrast = kind.contrast!;
  const widths = contrast.embed(new Params(), 1);
  const embeds = Object.fromEntries(
    Object.entries(widths).map(([embed, value]) => [embed, input(embed, [kind.batchSize, value.shape[1]!])]),
  );
  const judged = contrast.judge(p, embeds);
  const loss = Object.values(judged.losses).reduce((a, b) => add(a, b));
  const found = gradients(loss, { ...p.values(), ...embeds });
  const outputs: Record<string, Value> = { ...judged.losses, ...judged.metrics };
  for (const embed of Object.keys(embeds)) outputs[embedGradient(embed)] = found[embed] ?? zeroLike(embeds[embed]!);
  const trained = Object.keys(found).filter((n) => !Object.hasOwn(embeds, n));
  // The first thing of a step that touches these sums: what was there before does not count.
  const updates = Object.fromEntries(trained.map((n) => [sumName(n), found[n]!]));
  return {
    judged,
    trained,
    contrast: { name: `${name}.contrast`, outputs, updates },
    embed: (samples) => ({ name: `${name}.embed`, outputs: contrast.embed(new Params(), samples), updates: {} }),
  };
}

const zeroLike = (x: Value): Value => mul(x, constant(0));
