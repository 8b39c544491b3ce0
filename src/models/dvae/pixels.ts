/** The map between pixels in [0, 1] and the open interval on which the logit-Laplace distribution lives (arXiv:2102.12092 appendix A.3). */
import { add, maximum, minimum, mul, sigmoid, type Value } from "../../graph/index.ts";

const EPSILON = 0.1;

/** x in [0, 1] → 0.8·x + 0.1. */
export const mapPixels = (x: Value): Value => add(mul(x, 1 - 2 * EPSILON), EPSILON);

/** The inverse, clamped to [0, 1]. */
export const unmapPixels = (x: Value): Value => minimum(maximum(mul(add(x, -EPSILON), 1 / (1 - 2 * EPSILON)), 0), 1);

/** The pixels in [0, 1] that a location μ stands for: unmap(sigmoid(μ)). */
export const reconstruction = (mu: Value): Value => unmapPixels(sigmoid(mu));
