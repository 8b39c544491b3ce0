/** Elementwise operations over whole arrays of equal length; broadcasting has been done before. */
import type { Comparison } from "../primitives.ts";
import { erf, erfc } from "./erf.ts";
import { type Data, isBig } from "./storage.ts";

type Unary = (out: Data, x: Data) => void;
type Binary = (out: Data, x: Data, y: Data) => void;

const map =
  (f: (x: number) => number): Unary =>
  (out, x) => {
    for (let i = 0; i < out.length; i++) out[i] = f(x[i]!);
  };

/** Φ(x) = erfc(−x/√2)/2 keeps its digits where 1 + erf(x/√2) would cancel. */
const gelu = (x: number): number => 0.5 * x * erfc(-x * Math.SQRT1_2);

function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

export const unary: Readonly<
  Record<"neg" | "exp" | "log" | "sqrt" | "erf" | "tanh" | "sigmoid" | "abs" | "sign" | "relu" | "gelu", Unary>
> = {
  neg: map((x) => -x),
  exp: map(Math.exp),
  log: map(Math.log),
  sqrt: map(Math.sqrt),
  erf: map(erf),
  tanh: map(Math.tanh),
  sigmoid: map(sigmoid),
  abs: map(Math.abs),
  sign: map(Math.sign),
  relu: map((x) => Math.max(x, 0)),
  gelu: map(gelu),
};

// One loop each, not one loop with a function inside: these run on every activation.
export const binary: Readonly<Record<"add" | "sub" | "mul" | "div" | "maximum" | "minimum", Binary>> = {
  add: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! + y[i]!;
  },
  sub: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! - y[i]!;
  },
  mul: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! * y[i]!;
  },
  div: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! / y[i]!;
  },
  // not Math.max: it does not take bigints. A NaN on either side wins, as in NumPy.
  maximum: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! >= y[i]! || Number.isNaN(x[i]!) ? x[i]! : y[i]!;
  },
  minimum: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! <= y[i]! || Number.isNaN(x[i]!) ? x[i]! : y[i]!;
  },
};

export const compare: { readonly [K in Comparison]: Binary } = {
  equal: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i] === y[i] ? 1 : 0;
  },
  less: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! < y[i]! ? 1 : 0;
  },
  lessEqual: (out, x, y) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! <= y[i]! ? 1 : 0;
  },
};

export function where(out: Data, condition: Data, x: Data, y: Data): void {
  for (let i = 0; i < out.length; i++) out[i] = condition[i] ? x[i]! : y[i]!;
}

/** Converts elements: floats to whole numbers towards zero, anything to bool by x ≠ 0. */
export function cast(out: Data, x: Data): void {
  if (isBig(out)) {
    const big = out as unknown as BigInt64Array;
    for (let i = 0; i < big.length; i++) big[i] = isBig(x) ? (x[i] as unknown as bigint) : BigInt(Math.trunc(x[i]!));
  } else if (out instanceof Uint8Array) {
    for (let i = 0; i < out.length; i++) out[i] = Number(x[i]) === 0 ? 0 : 1;
  } else {
    for (let i = 0; i < out.length; i++) out[i] = Number(x[i]);
  }
}
