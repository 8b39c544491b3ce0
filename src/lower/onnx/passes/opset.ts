/** Older operator sets, for engines that do not read the newest: the few operators that they lack are written with others. */
import { ConfigError } from "../../../errors.ts";
import { fromNumbers } from "../../../tensor/index.ts";
import { type Draft, type Rewriter, rewriter } from "../draft.ts";
import type { OnnxNode } from "../schema.ts";

/** The operator set that rules write. ONNX Runtime ≥ 1.20 runs it, web builds included. */
export const OPSET = 21;

/** Operator set → the IR version of the ONNX release that brought it. */
export const IR_VERSIONS: Readonly<Record<number, number>> = { 17: 8, 18: 8, 19: 9, 20: 9, 21: 10 };

/** Operators whose axes became an operand in operator set 18. */
const SINCE_18: ReadonlySet<string> = new Set(["ReduceMax", "ReduceMean", "ReduceSumSquare"]);

/** The draft in an older operator set. Throws ConfigError for one that is too old for it, or unknown. */
export function downgrade(draft: Draft, opset: number): Draft {
  if (!(opset in IR_VERSIONS))
    throw new ConfigError(`${draft.name}: opset: expected ${Object.keys(IR_VERSIONS).join(", ")}, got ${opset}`);
  const late = opset < 18 ? draft.nodes.find(({ op }) => SINCE_18.has(op)) : undefined;
  if (late) throw new ConfigError(`${draft.name}: opset ${opset}: ${late.op} "${late.name}" needs 18`);
  if (opset >= 20) return draft;
  const w = rewriter(draft);
  for (const node of draft.nodes) {
    if (node.op === "Gelu") gelu(w, node);
    else w.nodes.push(node);
  }
  return w.done();
}

/** x·(1 + erf(x/√2))·½, in the order that ONNX Runtime recognises as gelu. */
function gelu(w: Rewriter, { name, inputs: [x], outputs: [output] }: OnnxNode): void {
  const number = (value: number): string =>
    w.once(`${value}`, () => w.numbers(`number/${value}`, fromNumbers([value], [])));
  const erf = w.node("Erf", [w.node("Div", [x!, number(Math.SQRT2)], `${name}/scaled`)], `${name}/erf`);
  const doubled = w.node("Mul", [x!, w.node("Add", [erf, number(1)], `${name}/one`)], `${name}/doubled`);
  w.node("Mul", [doubled, number(0.5)], `${name}/half`, { output: output! });
}
