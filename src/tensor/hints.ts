/** What error messages suggest: the known name that looks most like a wrong one, and how to mend a shape or a dtype. */
import type { DType } from "./dtype.ts";
import { type Shape, size } from "./tensor.ts";

/** Number of single-letter edits between two names (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

/** A hint such as `did you mean "input_ids"?`, or the list of names when none is near. */
export function nearest(name: string, known: readonly string[]): string {
  const ranked = known.map((k) => ({ k, d: editDistance(name, k) })).sort((x, y) => x.d - y.d);
  const best = ranked[0];
  if (best && best.d <= Math.max(2, name.length / 3)) return `did you mean "${best.k}"?`;
  if (known.length === 0) return "there are none yet";
  return `known: ${known.slice(0, 12).join(", ")}${known.length > 12 ? `, … (${known.length})` : ""}`;
}

/** What may have happened to a tensor of another shape. */
export function shapeHint(expected: Shape, got: Shape): string {
  const [e, g] = [[...expected].sort().join(), [...got].sort().join()];
  if (e === g) return "the same axes in another order: transpose it";
  if (size(expected) === size(got)) return "as many elements in another shape: reshape it";
  return "sizes are fixed when a graph is made: pad or cut the tensor, or make the graph for this size";
}

/** How a tensor of another dtype becomes one of the right dtype. */
export const dtypeHint = (expected: DType): string => `fromNumbers(toNumbers(t), t.shape, "${expected}") converts it`;
