/** What stands between two linear layers, by name. */
import { gelu, mul, relu, sigmoid, tanh, type Value } from "../graph/index.ts";

/** x·σ(1.702x), the approximation of gelu that CLIP was trained with (Hendrycks & Gimpel, arXiv:1606.08415). */
export const quickGelu = (x: Value): Value => mul(x, sigmoid(mul(x, 1.702)));

/** x·σ(x) (Ramachandran et al., arXiv:1710.05941). */
export const swish = (x: Value): Value => mul(x, sigmoid(x));

/** The name of an activation. */
export type Activation = "gelu" | "quickGelu" | "relu" | "swish" | "tanh";

/** By name. */
export const activations: { readonly [A in Activation]: (x: Value) => Value } = { gelu, quickGelu, relu, swish, tanh };
