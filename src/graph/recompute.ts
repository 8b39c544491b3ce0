/**
 * Recomputation of activations (Chen et al., arXiv:1604.06174): between the values that are kept from the forward pass, the
 * backward pass computes everything again, one segment at a time. Two barriers hold an engine to that order: a segment is
 * computed again once its gradient has arrived, and the gradient goes on once the segment's parameters have theirs.
 */
import { withInputs } from "./graph.ts";
import { barrier } from "./ops.ts";
import { Value } from "./value.ts";

/** What the backward pass asks on its way. */
export interface Recomputation {
  /** The gradient of a value, held back where the value is a checkpoint. */
  arrive(node: Value, g: Value): Value;
  /** The value as the backward pass reads it: itself, or computed again from checkpoints. */
  again(node: Value, g: Value): Value;
  /** Notes a part of the gradient of an operand of `node`. */
  leave(node: Value, operand: Value, part: Value): void;
}

/** A part of the forward pass between checkpoints. */
interface Segment {
  /** Operands first. */
  readonly nodes: Value[];
  readonly reads: Set<Value>;
  /** Parts of gradients that end here: those of parameters. */
  readonly parts: Value[];
  again?: Map<Value, Value>;
}

/**
 * Cuts the nodes behind a loss at `checkpoints`. What does not depend on `wrt` is kept, and so is the segment of the loss,
 * whose turn comes at once, and one that reads no checkpoint.
 */
export function recomputation(
  nodes: readonly Value[],
  isInner: (v: Value) => boolean,
  checkpoints: ReadonlySet<Value>,
): Recomputation {
  const segments = cut(nodes, isInner, checkpoints);
  const last = segments.get(nodes.at(-1)!);
  const readers = new Map<Value, Segment[]>();
  for (const segment of new Set(segments.values()))
    for (const v of segment.reads) readers.set(v, [...(readers.get(v) ?? []), segment]);
  return {
    arrive: (node, g) =>
      barrier(
        g,
        (readers.get(node) ?? []).flatMap(({ parts }) => parts),
      ),
    again: (node, g) => {
      const segment = segments.get(node);
      if (!segment || segment === last || segment.reads.size === 0) return node;
      segment.again ??= computeAgain(segment, g);
      return segment.again.get(node)!;
    },
    leave: (node, operand, part) => {
      if (!isInner(operand) && !checkpoints.has(operand)) segments.get(node)?.parts.push(part);
    },
  };
}

/** The segment of each inner node: nodes that reach each other without passing a checkpoint. */
function cut(
  nodes: readonly Value[],
  isInner: (v: Value) => boolean,
  checkpoints: ReadonlySet<Value>,
): Map<Value, Segment> {
  const parents = new Map<Value, Value>();
  const root = (v: Value): Value => {
    let top = v;
    for (let next = parents.get(top); next; next = parents.get(top)) top = next;
    for (let at = v; at !== top; ) {
      const next = parents.get(at)!;
      parents.set(at, top);
      at = next;
    }
    return top;
  };
  const inner = nodes.filter(isInner);
  for (const node of inner)
    for (const operand of node.inputs) {
      if (!isInner(operand) || checkpoints.has(operand)) continue;
      const [a, b] = [root(node), root(operand)];
      if (a !== b) parents.set(a, b);
    }
  const byRoot = new Map<Value, Segment>();
  const segments = new Map<Value, Segment>();
  for (const node of inner) {
    const segment = byRoot.get(root(node)) ?? { nodes: [], reads: new Set(), parts: [] };
    byRoot.set(root(node), segment);
    segments.set(node, segment);
    segment.nodes.push(node);
    for (const operand of node.inputs) if (checkpoints.has(operand)) segment.reads.add(operand);
  }
  return segments;
}

/** Every node of a segment once more, from its checkpoints behind a barrier that waits for `g`. */
function computeAgain(segment: Segment, g: Value): Map<Value, Value> {
  const fresh = new Map<Value, Value>();
  const kept = new Map([...segment.reads].map((v) => [v, barrier(v, [g])]));
  for (const node of segment.nodes) {
    const inputs = node.inputs.map((v) => kept.get(v) ?? fresh.get(v) ?? v);
    const same = withInputs(node, inputs) === node;
    fresh.set(node, same ? node : new Value(node.op, inputs, node.attrs, `again.${node.scope}`));
  }
  return fresh;
}
