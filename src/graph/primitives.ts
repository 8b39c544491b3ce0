/**
 * The primitives: what attributes each one takes. Every rule about a primitive (shape, gradient, interpreter, ONNX) is one
 * row in a table typed `{ [P in Op]: … }`, so a new line here does not compile until all its rules exist.
 */
import type { DType, Shape, Tensor } from "../tensor/index.ts";

type None = Readonly<Record<never, never>>;

/** Comparison of two values; the result is bool. */
export type Comparison = "equal" | "less" | "lessEqual";

/** Element types that a graph may hold. bfloat16 is made by the precision pass, between a cast and what reads it. */
export type GraphDType = Extract<DType, "float64" | "float32" | "bfloat16" | "int32" | "int64" | "bool">;

/** Where the kernel of a convolution goes, along both axes. */
export interface ConvWindow {
  readonly stride: number;
  /** Zeros on all four sides. */
  readonly padding: number;
  /** Places from one element of the kernel to the next. */
  readonly dilation: number;
  /** Equal parts of the channels; each part of the results sees its own. As many as there are channels: depthwise. */
  readonly groups: number;
}

/** Where the windows of a pooling are, along both axes. */
export interface PoolWindow {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Attributes of every primitive; all are plain data, so that a graph prints, hashes and compares. */
export interface Attrs {
  // leaves
  /** A named tensor that is fed at each run, or that lives in the engine as state. */
  input: { readonly name: string; readonly shape: Shape; readonly dtype: GraphDType };
  /** Fixed numbers that are part of the graph. Those of a float32 constant may be float64: engines round them, the oracle does not. Those of a bfloat16 constant are. */
  constant: { readonly value: Tensor<GraphDType>; readonly dtype: GraphDType };

  // elementwise, one operand
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  abs: None;
  /** −1, 0 or 1; gradient 0. */
  sign: None;
  relu: None;
  /** x·Φ(x) with the error function, not the tanh approximation. */
  gelu: None;
  /** The operand, with no gradient. */
  stopGradient: None;
  cast: { readonly dtype: GraphDType };

  // elementwise, several operands, with NumPy broadcasting
  add: None;
  sub: None;
  mul: None;
  div: None;
  /** Gradient goes to the first operand where both are equal. */
  maximum: None;
  minimum: None;
  compare: { readonly kind: Comparison };
  /** inputs (condition: bool, x, y). */
  where: None;

  // order
  /** inputs (x, …after): x, computed when every `after` has been, and never merged with x. */
  barrier: None;

  // structure
  reshape: { readonly shape: Shape };
  permute: { readonly perm: readonly number[] };
  /** NumPy broadcasting to a shape. */
  broadcastTo: { readonly shape: Shape };
  /** Elements start..end (exclusive) of every axis. */
  slice: { readonly starts: readonly number[]; readonly ends: readonly number[] };
  /** Zeros (false for bool) before and after every axis. */
  pad: { readonly before: readonly number[]; readonly after: readonly number[] };
  concat: { readonly axis: number };

  // reductions; reduced axes stay with size 1 when `keep`
  sum: { readonly axes: readonly number[]; readonly keep: boolean };
  /** Gradient goes to every element that equals the maximum, divided by their number. */
  reduceMax: { readonly axes: readonly number[]; readonly keep: boolean };
  /** Index of the first maximum, int32, axis removed. */
  argmax: { readonly axis: number };

  // products
  /**
   * (…, M, K) × (…, K, N), batch axes broadcast; `transpose…` swaps the last two axes of that operand first. Here and in
   * convolutions, bfloat16 operands give a float32 result: that is what hardware adds them up in.
   */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };

  // what engines run as one kernel
  softmax: { readonly axis: number };
  logSoftmax: { readonly axis: number };
  /** inputs (x, weight, bias) over the last axis. */
  layerNorm: { readonly eps: number };
  /** Mean over the last axis, kept with size 1: a second result of layerNorm. */
  layerNormMean: None;
  /** 1/√(variance + eps) over the last axis, kept with size 1: a third result of layerNorm. */
  layerNormInvStd: { readonly eps: number };

  // indexing
  /** inputs (x, indices: int): x with `axis` replaced by the axes of `indices`. */
  gather: { readonly axis: number };
  /** inputs (updates, indices: int): zeros of size `size` along axis 0, with each update added at its index. */
  scatterAdd: { readonly size: number };

  // images, (B, C, H, W)
  /** inputs (x, weight (O, C / groups, kh, kw)). */
  conv2d: ConvWindow;
  /** inputs (g, weight): the gradient of conv2d with respect to x of size `height` × `width`. */
  conv2dInputGrad: ConvWindow & { readonly height: number; readonly width: number };
  /** inputs (x, g): the gradient of conv2d with respect to a kernel × kernel weight. */
  conv2dWeightGrad: ConvWindow & { readonly kernel: number };
  /** Padding is never the maximum. Windows that are neither padded nor overlap cover the image whole. */
  maxPool2d: PoolWindow;
  /** inputs (x, g): g at the first maximum of each window of x, added up where windows share it, 0 elsewhere. */
  maxPool2dGrad: PoolWindow;
  /** inputs (x, y): y's values at the place of the first maximum of each window of x. The transpose of maxPool2dGrad. */
  maxPool2dTake: PoolWindow;
  /** Nearest-neighbour enlargement by a whole factor. */
  upsample2d: { readonly factor: number };

  // between workers, along axis 0; the identity on one worker
  /** (b, …) on each of `workers` → (workers·b, …) on all. */
  allGather: { readonly workers: number };
  /** Sum over workers of (workers·b, …); each keeps its own (b, …). */
  reduceScatter: { readonly workers: number };
  allReduce: { readonly workers: number };
}

export type Op = keyof Attrs;
