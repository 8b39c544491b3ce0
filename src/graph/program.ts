/** A program: a graph with state. What a training step is: results to look at, and the next value of each state tensor. */
import type { Value } from "./value.ts";

export interface Program {
  readonly name: string;
  /** Results by name. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** The next value of each `input` that is state, by that input's name. Shapes and dtypes stay. */
  readonly updates: Readonly<Record<string, Value>>;
}
