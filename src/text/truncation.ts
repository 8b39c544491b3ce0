/** Shortens one or two token lists to a budget, as BERT's `_truncate_seq_pair` and Hugging Face's strategies do. */
import { DataError } from "../errors.ts";

/** `"none"` throws where the texts are too long; `"only_second"` needs a pair. */
export type Truncation = "longest_first" | "only_first" | "only_second" | "none";

/**
 * The two lists, shortened from their ends until both together hold at most `budget` tokens. `"longest_first"` takes
 * one token at a time from the longer list, and from the second where both are equal (Hugging Face's Rust tokenizers
 * leave the odd token to the other list). Throws DataError where the strategy cannot reach the budget.
 */
export function truncatePair(
  first: readonly number[],
  second: readonly number[],
  budget: number,
  strategy: Truncation = "longest_first",
): [number[], number[]] {
  const excess = first.length + second.length - budget;
  if (excess <= 0) return [[...first], [...second]];
  const cut = strategy === "longest_first" ? cutFromLonger(first.length, second.length, budget) : undefined;
  if (cut) return [first.slice(0, cut[0]), second.slice(0, cut[1])];
  if (strategy === "only_first" && excess <= first.length) return [first.slice(0, first.length - excess), [...second]];
  if (strategy === "only_second" && excess <= second.length)
    return [[...first], second.slice(0, second.length - excess)];
  throw new DataError(
    `truncation "${strategy}": expected at most ${budget} tokens, got ${first.length} and ${second.length}`,
    'use a larger maxLength or truncation "longest_first"',
  );
}

function cutFromLonger(a: number, b: number, budget: number): [number, number] {
  const half = Math.floor(budget / 2);
  if (a <= half) return [a, budget - a];
  if (b <= half) return [budget - b, b];
  return [budget - half, half];
}
