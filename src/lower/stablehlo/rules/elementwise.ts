/** Elementwise primitives; operands are broadcast first. */
import type { Comparison, Value } from "../../../graph/index.ts";
import type { Rules } from "../rule.ts";
import { dense, tensorType } from "../types.ts";
import type { Ref, Writer } from "../writer.ts";

/** A rule that is one operation. */
const one =
  (op: string) =>
  (w: Writer, value: Value, inputs: readonly Ref[]): Ref =>
    w.op(
      op,
      inputs.map((x) => w.broadcast(x, value.shape)),
      value,
    );

const DIRECTIONS: Readonly<Record<Comparison, "EQ" | "LT" | "LE">> = { equal: "EQ", less: "LT", lessEqual: "LE" };

export const elementwise: Rules<
  | "constant"
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
  constant: (w, value, _, attrs) =>
    w.op("constant", [], value, { value: `${dense(attrs.value, attrs.dtype)} : ${tensorType(value)}` }),
  neg: one("negate"),
  exp: one("exponential"),
  log: one("log"),
  sqrt: one("sqrt"),
  erf: (w, _, [x]) => erf(w, x!),
  tanh: one("tanh"),
  sigmoid: one("logistic"),
  abs: one("abs"),
  sign: one("sign"),
  relu: (w, value, [x]) => w.each("maximum", x!, w.number(0, value)),
  // x·(1 + erf(x/√2))/2
  gelu: (w, value, [x]) => {
    const half = w.each("multiply", x!, w.number(0.5, value));
    const phi = erf(w, w.each("multiply", x!, w.number(Math.SQRT1_2, value)));
    return w.each("multiply", half, w.each("add", phi, w.number(1, value)));
  },
  stopGradient: (_, __, [x]) => x!,
  cast: (w, _, [x], { dtype }) => w.convert(x!, dtype),
  add: one("add"),
  sub: one("subtract"),
  mul: one("multiply"),
  div: one("divide"),
  maximum: one("maximum"),
  minimum: one("minimum"),
  compare: (w, value, inputs, { kind }) => {
    const [a, b] = inputs.map((x) => w.broadcast(x, value.shape));
    return w.compare(DIRECTIONS[kind], a!, b!);
  },
  where: one("select"),
};

/** From here on erf is 1 in float32. */
const ERF_END = 3.7439211627767994;
/** A minimax quotient of polynomials in x² for erf(x)/x on [0, 3.75], highest power first, as XLA and Eigen use it. */
const ERF_TOP = [
  0.00022905065861350646, 0.0034082910107109507, 0.05095569506238086, 0.18520832239976145, 1.128379143519084,
];
const ERF_BOTTOM = [
  -1.1791602954361697e-7, 0.000023547966471313183, 0.0010179625278914884, 0.014070470171167667, 0.11098505178285362,
  0.49746925110067536, 1,
];

/** The error function to float32's precision: StableHLO has none of its own. */
function erf(w: Writer, x: Ref): Ref {
  const clamped = w.op("clamp", [w.number(-ERF_END, x), x, w.number(ERF_END, x)], x);
  const square = w.each("multiply", clamped, clamped);
  const polynomial = (coefficients: readonly number[]): Ref =>
    coefficients
      .slice(1)
      .reduce(
        (sum, c) => w.each("add", w.each("multiply", sum, square), w.number(c, x)),
        w.number(coefficients[0]!, x),
      );
  return w.each("divide", w.each("multiply", clamped, polynomial(ERF_TOP)), polynomial(ERF_BOTTOM));
}
