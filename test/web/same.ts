/** Training in a page beside training in Node. */
import { expect } from "vitest";
import { TWENTY_STEPS } from "../support/tolerances.ts";
import type { Trained } from "./both.ts";

/**
 * Expects the losses of every step, and the parameters and moments that they end with, to be the same.
 * Attention does not feel a key's bias: its gradient is rounding alone, of which Adam makes whole steps, so those are left out.
 */
export function expectSame(there: Trained, here: Trained): void {
  expect(there.losses.map(([kind]) => kind)).toEqual(here.losses.map(([kind]) => kind));
  const losses = ({ losses: all }: Trained): number[] => all.map(([, loss]) => loss);
  expect(losses(there)).toBeAllclose(losses(here), TWENTY_STEPS.losses);
  expect(Object.keys(there.state).sort()).toEqual(Object.keys(here.state).sort());
  for (const [name, [norm, ...first]] of Object.entries(here.state).filter(([one]) => !/key\.bias$/.test(one))) {
    const [size, ...numbers] = there.state[name]!;
    expect([size!], name).toBeAllclose([norm!], TWENTY_STEPS.norms);
    expect(numbers, name).toBeAllclose(first, TWENTY_STEPS.elements);
  }
}
