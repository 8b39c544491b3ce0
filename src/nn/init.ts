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
  | { readonly kind: "convNormal" }
  /** N(0, 2/fan-out) for a convolution, fan-out = O·kh·kw: torchvision's ResNets, which keep their scale by it without a norm (He et al. 2015). */
  | { readonly kind: "fanOutNormal" }
  /** Uniform within ±√(6 / (fan-in + fan-out)) (Glorot & Bengio 2010). */
  | { readonly kind: "xavierUniform" }
  /** Uniform within ±1/√fan-in: what torch draws where nothing else is said. */
  | { readonly kind: "fanInUniform" };

export const zeros: Init = { kind: "zeros" };
export const ones: Init = { kind: "constant", value: 1 };
export const constantInit = (value: number): Init => ({ kind: "constant", value });
export const normal = (std: number): Init => ({ kind: "normal", std });
export const truncatedNormal = (std: number, bound = 2): Init => ({ kind: "truncatedNormal", std, bound });
export const convNormal: Init = { kind: "convNormal" };
export const fanOutNormal: Init = { kind: "fanOutNormal" };
export const xavierUniform: Init = { kind: "xavierUniform" };
export const fanInUniform: Init = { kind: "fanInUniform" };

/** What a model declares about one parameter. */
export interface ParamSpec {
  /** The path in the published checkpoint. */
  readonly name: string;
  readonly shape: Shape;
  readonly init: Init;
  /** Other paths under which checkpoints store the same tensor. */
  readonly aliases: readonly string[];
  /** Whether it is saved and never trained. */
  readonly buffer?: boolean;
}

/** The first value of one parameter: a function of (seed, name) alone, in float32. */
export function initialTensor(spec: Pick<ParamSpec, "name" | "shape" | "init">, seed: number): Tensor<"float32"> {
  const { init, shape } = spec;
  const data = new Float32Array(size(shape));
  const rng = random(seed, `init:${spec.name}`);
  if (init.kind === "constant") data.fill(init.value);
  else if (init.kind === "xavierUniform" || init.kind === "fanInUniform") fillUniform(data, rng, init.kind, shape);
  else if (init.kind !== "zeros") fillNormal(data, rng, init, shape);
  if (init.kind === "normal" && init.zeroRow !== undefined) {
    const width = size(shape.slice(1));
    data.fill(0, init.zeroRow * width, (init.zeroRow + 1) * width);
  }
  return { dtype: "float32", shape: [...shape], data };
}

type NormalInit = Extract<Init, { kind: "normal" | "truncatedNormal" | "convNormal" | "fanOutNormal" }>;

function fillNormal(data: Float32Array, rng: Random, init: NormalInit, shape: Shape): void {
  const std = deviation(init, shape);
  const bound = init.kind === "truncatedNormal" ? init.bound : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    let x = std * rng.normal();
    while (Math.abs(x) > bound) x = std * rng.normal();
    data[i] = x;
  }
}

function deviation(init: NormalInit, shape: Shape): number {
  if (init.kind === "convNormal") return size(shape.slice(1)) ** -0.5;
  if (init.kind === "fanOutNormal") return Math.sqrt(2 / (shape[0]! * size(shape.slice(2))));
  return init.std;
}

/** A weight is stored (out, in, …); what comes after are the places of a kernel. */
function fillUniform(data: Float32Array, rng: Random, kind: "xavierUniform" | "fanInUniform", shape: Shape): void {
  const places = size(shape.slice(2));
  const [fanIn, fanOut] = [size(shape.slice(1)), shape[0]! * places];
  const bound = kind === "fanInUniform" ? fanIn ** -0.5 : Math.sqrt(6 / (fanIn + fanOut));
  for (let i = 0; i < data.length; i++) data[i] = bound * (2 * rng.uniform() - 1);
}

/** The first values of all parameters, by name. */
export function initialize(specs: Iterable<ParamSpec>, seed: number): Record<string, Tensor<"float32">> {
  const tensors: Record<string, Tensor<"float32">> = {};
  for (const spec of specs) tensors[spec.name] = initialTensor(spec, seed);
  return tensors;
}

/** A float32 scalar, for state that starts at a number. */
export const scalarTensor = (value: number): Tensor<"float32"> => fromNumbers([value], []);
