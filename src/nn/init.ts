/** Initialisers as data, and the host function that turns them into numbers: counter-based, so one seed gives one model. */
import { fromNumbers, type Random, random, type Shape, size, type Tensor } from "../tensor/index.ts";

/** How a parameter starts. */
export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "constant"; readonly value: number }
  /** N(0, std²); row `zeroRow` (a padding row) is zero. */
  | { readonly kind: "normal"; readonly std: number; readonly zeroRow?: number }
  /** N(0, std²), redrawn outside ±bound (absolute, as timm and DINO use it). */
  | { readonly kind: "truncatedNormal"; readonly std: number; readonly bound: number }
  /** N(0, 1/fan-in) for a convolution (O, C, kh, kw), fan-in = C·kh·kw (DALL-E's dVAE). */
  | { readonly kind: "convNormal" };

export const zeros: Init = { kind: "zeros" };
export const ones: Init = { kind: "constant", value: 1 };
export const constantInit = (value: number): Init => ({ kind: "constant", value });
export const normal = (std: number): Init => ({ kind: "normal", std });
export const truncatedNormal = (std: number, bound = 2): Init => ({ kind: "truncatedNormal", std, bound });
export const convNormal: Init = { kind: "convNormal" };

/** What a model declares about one parameter. */
export interface ParamSpec {
  /** The path in the published checkpoint. */
  readonly name: string;
  readonly shape: Shape;
  readonly init: Init;
  /** Other paths under which checkpoints store the same tensor. */
  readonly aliases: readonly string[];
}

/** The first value of one parameter: a function of (seed, name) alone, in float32. */
export function initialTensor(spec: Pick<ParamSpec, "name" | "shape" | "init">, seed: number): Tensor<"float32"> {
  const { init, shape } = spec;
  const data = new Float32Array(size(shape));
  const rng = random(seed, `init:${spec.name}`);
  if (init.kind === "constant") data.fill(init.value);
  else if (init.kind !== "zeros") fillNormal(data, rng, init, shape);
  if (init.kind === "normal" && init.zeroRow !== undefined) {
    const width = size(shape.slice(1));
    data.fill(0, init.zeroRow * width, (init.zeroRow + 1) * width);
  }
  return { dtype: "float32", shape: [...shape], data };
}

function fillNormal(
  data: Float32Array,
  rng: Random,
  init: Exclude<Init, { kind: "zeros" | "constant" }>,
  shape: Shape,
): void {
  const std = init.kind === "convNormal" ? size(shape.slice(1)) ** -0.5 : init.std;
  const bound = init.kind === "truncatedNormal" ? init.bound : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    let x = std * rng.normal();
    while (Math.abs(x) > bound) x = std * rng.normal();
    data[i] = x;
  }
}

/** The first values of all parameters, by name. */
export function initialize(specs: Iterable<ParamSpec>, seed: number): Record<string, Tensor<"float32">> {
  const tensors: Record<string, Tensor<"float32">> = {};
  for (const spec of specs) tensors[spec.name] = initialTensor(spec, seed);
  return tensors;
}

/** A float32 scalar, for state that starts at a number. */
export const scalarTensor = (value: number): Tensor<"float32"> => fromNumbers([value], []);
