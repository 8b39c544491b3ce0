/** What is learned: from which inputs, and what of them. */
import type { TaskTarget } from "../data/index.ts";
import type { Value } from "../graph/index.ts";
import { input } from "../graph/index.ts";
import type { TaskHead } from "../models/index.ts";
import { answerLoss, classLoss, numberLoss, type TaskLoss } from "../objectives/index.ts";

/** One of several classes; a number; answers of which several may be right, each worth something. */
export type Target =
  | { readonly kind: "classes"; readonly names: readonly string[] }
  | { readonly kind: "number"; readonly name: string; readonly mean: number; readonly scale: number }
  | { readonly kind: "answers"; readonly names: readonly string[] };

/** A task, as far as it can be learned. */
export interface Problem extends Pick<TaskHead, "inputs" | "textPairs"> {
  readonly target: Target;
}

/** How many numbers the head gives. */
export const outputsOf = (target: Target): number => (target.kind === "number" ? 1 : target.names.length);

/** The head of a problem; `hidden`: the width of its hidden layer. */
export const headOf = ({ inputs, textPairs, target }: Problem, hidden: number | null): TaskHead => ({
  inputs,
  textPairs,
  outputs: outputsOf(target),
  hidden,
});

/** What batches carry of a target. */
export function builtTarget(target: Target): TaskTarget {
  if (target.kind === "answers") return { kind: "answers", count: target.names.length };
  if (target.kind === "classes") return target;
  return { kind: "number", mean: target.mean, scale: target.scale };
}

/** The loss of a target on logits (B, outputs); what it compares them with is an input. */
export function lossOf(target: Target, logits: Value, smoothing: number): TaskLoss {
  const { B, C } = logits.dims("B C");
  if (target.kind === "classes") return classLoss(logits, input("labels", [B!], "int32"), smoothing);
  if (target.kind === "answers") return answerLoss(logits, input("scores", [B!, C!]));
  return numberLoss(logits, input("targets", [B!]));
}
