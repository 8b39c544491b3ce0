/**
 * Heads for tasks on what a model's graphs give: the head itself, which all families share, and the graphs of families whose encoders are
 * tuned as they stand.
 */
import {
  cast,
  div,
  gelu,
  input,
  isOp,
  maximum,
  mul,
  reshape,
  rewrite,
  sum,
  type Value,
  withInputs,
} from "../graph/index.ts";
import { type Drop, layerNorm, linear, Params, token } from "../nn/index.ts";
import {
  type HeadInput,
  type HeadInputs,
  type Model,
  type ModelGraph,
  modelGraph,
  type PairGraphSizes,
  type TaskHead,
} from "./model.ts";

/** Logits of a task, and the states that a backward pass may start again from. */
export interface TaskOutputs {
  /** (B, outputs). */
  readonly logits: Value;
  readonly hidden_states: readonly Value[];
}

/** LayerNorm of the hidden layer, as MMF's. */
const HEAD_EPS = 1e-6;

const KEEP: Drop = (_, x) => x;

/**
 * x (B, D) → logits (B, outputs): one layer, or linear → GELU → LayerNorm → linear. Names are `classifier.weight` and `.bias`, or those of a
 * torch `Sequential` of the four: `classifier.0`, `classifier.2`, `classifier.3`. `scope` is `classifier`.
 */
export function headLogits(scope: Params, x: Value, { hidden, outputs }: TaskHead, drop: Drop = KEEP): Value {
  const kept = drop(scope, x);
  if (hidden === null) return linear(scope, kept, outputs);
  const h = layerNorm(scope.at(2), gelu(linear(scope.at(0), kept, hidden)), HEAD_EPS);
  return linear(scope.at(3), h, outputs);
}

/** The model with heads on its own graphs' results. */
export const withHeads = (model: Model, heads: HeadInputs): Model => ({
  ...model,
  heads,
  task: (head, sizes) => headGraph({ ...model, heads }, head, sizes),
});

/** A head on a model of `withHeads`; dropout is of what the head reads alone. `p` is the root. */
export function headOutputs(
  p: Params,
  model: Model,
  head: TaskHead,
  sizes: PairGraphSizes,
  drop: Drop = KEEP,
): TaskOutputs {
  const states = statesOf(p, model, head, sizes);
  const read = pooled(states, model.heads![head.inputs]!.take, sizes);
  return { logits: headLogits(p.at("classifier"), read, head, drop), hidden_states: [states] };
}

/** The inputs of the task → `logits` (B, outputs). */
function headGraph(model: Model, head: TaskHead, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  return modelGraph(`${model.family}.task`, p, { logits: headOutputs(p, model, head, sizes).logits });
}

/** The graph that a head stands on. */
function encoderGraph(model: Model, { inputs }: TaskHead, sizes: PairGraphSizes): ModelGraph {
  const { batch, textLength, ...picture } = sizes;
  if (inputs === "image") return model.image!({ batch, ...picture });
  return inputs === "text" ? model.text!({ batch, textLength }) : model.pair!(sizes);
}

/** The states that a head reads, with all that they need of the model, and no more. */
function statesOf(p: Params, model: Model, head: TaskHead, sizes: PairGraphSizes): Value {
  const { result } = model.heads![head.inputs]!;
  const { graph, params } = encoderGraph(model, head, sizes);
  return declared(p, modelGraph(graph.name, params, { [result]: graph.outputs[result]! }), result);
}

/** The width of what a head reads. */
export function headWidth(model: Model, inputs: TaskHead["inputs"]): number {
  const head = { inputs, textPairs: false, outputs: 1, hidden: null };
  return statesOf(new Params(), model, head, { batch: 1, textLength: 3 }).shape.at(-1)!;
}

/** A result of a graph, on parameters that `p` declares. */
function declared(p: Params, { graph, params }: ModelGraph, result: string): Value {
  const specs = new Map(params.map((spec) => [spec.name, spec]));
  const { outputs } = rewrite(graph, (v, inputs) => {
    const spec = isOp(v, "input") ? specs.get(v.attrs.name) : undefined;
    if (!spec) return withInputs(v, inputs);
    return spec.buffer ? p.buffer(spec.name, spec.shape, spec.init) : p.get(spec.name, spec.shape, spec.init);
  });
  return outputs[result]!;
}

function pooled(states: Value, take: HeadInput["take"], { batch, textLength }: PairGraphSizes): Value {
  if (take === "whole") return states;
  if (take === "first") return token(states, 0);
  const weights = reshape(cast(input("attention_mask", [batch, textLength], "int32"), states.dtype), [
    batch,
    textLength,
    1,
  ]);
  return div(sum(mul(states, weights), [1]), maximum(sum(weights, [1]), 1));
}
