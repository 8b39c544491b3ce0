/** Elementwise primitives: one ONNX node each. */
import type { Comparison, GraphDType } from "../../../graph/index.ts";
import { one, type Rules } from "../rule.ts";
import { DATA_TYPES } from "../schema.ts";

const COMPARISONS: Readonly<Record<Comparison, string>> = { equal: "Equal", less: "Less", lessEqual: "LessOrEqual" };

export const castTo = (dtype: GraphDType): { to: { int: number } } => ({ to: { int: DATA_TYPES[dtype] } });

export const elementwise: Rules<
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "erf"
  | "tanh"
  | "sigmoid"
  | "abs"
  | "sign"
  | "relu"
  | "gelu"
  | "stopGradient"
  | "cast"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "maximum"
  | "minimum"
  | "compare"
  | "where"
> = {
  neg: one("Neg"),
  exp: one("Exp"),
  log: one("Log"),
  sqrt: one("Sqrt"),
  erf: one("Erf"),
  tanh: one("Tanh"),
  sigmoid: one("Sigmoid"),
  abs: one("Abs"),
  sign: one("Sign"),
  relu: one("Relu"),
  gelu: one("Gelu"),
  stopGradient: (_, __, [x]) => x!,
  cast: (e, _, inputs, { dtype }) => e.node("Cast", inputs, castTo(dtype)),
  add: one("Add"),
  sub: one("Sub"),
  mul: one("Mul"),
  div: one("Div"),
  maximum: one("Max"),
  minimum: one("Min"),
  compare: (e, _, inputs, { kind }) => e.node(COMPARISONS[kind], inputs),
  // ONNX Runtime has no Where kernel for bool.
  where: (e, value, inputs) => {
    if (value.dtype !== "bool") return e.node("Where", inputs);
    const [condition, x, y] = inputs as [string, string, string];
    const otherwise = e.node("And", [e.node("Not", [condition]), y]);
    return e.node("Or", [e.node("And", [condition, x]), otherwise]);
  },
};
