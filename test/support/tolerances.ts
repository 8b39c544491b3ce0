/** How far results may be apart, by what is compared. Looser than this needs a comment beside the test. */
import type { Tolerance } from "../../src/tensor/index.ts";

/** An analytic directional derivative and a central difference of fourth order, both in float64; relative. */
export const FINITE_DIFFERENCE = 1e-8;

/** One operation of a float32 engine against the interpreter in float64, relative to the largest operand or result. */
export const ENGINE_OPERATION = 1e-6;

/** A gradient graph (some ten operations) of a float32 engine against the interpreter, relative to the largest operand or result. */
export const ENGINE_GRADIENT = 5e-6;

/** The same numbers computed in float64 in another order. */
export const FLOAT64: Tolerance = { rtol: 1e-12, atol: 1e-12 };

/** Two float32 engines after twenty updates by AdamW, which makes whole steps of small gradients: losses, and parameters with moments. */
export const TWENTY_STEPS: Readonly<Record<"losses" | "norms" | "elements", Tolerance>> = {
  losses: { rtol: 1e-3 },
  norms: { rtol: 1e-3, atol: 1e-6 },
  elements: { rtol: 1e-3, atol: 2e-4 },
};
