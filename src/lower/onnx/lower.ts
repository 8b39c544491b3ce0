/** Graph → ONNX model: plan, emit, name the results, write. */
import { DTypeError, NameError, ShapeError } from "../../errors.ts";
import { type DynamicGraph, type Graph, isDynamic, type Op, sample, type Value } from "../../graph/index.ts";
import { formatShape, sameShape, type Tensor } from "../../tensor/index.ts";
import type { Draft } from "./draft.ts";
import { joinDrafts } from "./dynamic.ts";
import { Emitter, type Target } from "./emitter.ts";
import { type ExternalData, type ExternalDataOptions, place } from "./external.ts";
import { type FusionName, plan } from "./fusion.ts";
import { allFusions } from "./fusions/index.ts";
import { half } from "./passes/half.ts";
import { downgrade, IR_VERSIONS, OPSET } from "./passes/opset.ts";
import { quantize } from "./passes/quantize.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxPort } from "./schema.ts";
import { encodeModel } from "./write.ts";

/** What weights and products are kept in: float32, float16 (`passes/half.ts`), or 8-bit whole numbers (`passes/quantize.ts`). */
export type ModelDType = "fp32" | "fp16" | "q8";

/** What the model keeps, which passes it goes through, and how it is stored. */
export interface LowerOptions {
  /** Inputs that become fixed numbers of the model, by input name: weights of an inference graph. */
  initializers?: Readonly<Record<string, Tensor>>;
  /** Whose operators may be used; "any" unless said. */
  target?: Target;
  /** Which fusions may apply; all when left out, none with []. */
  fusions?: readonly FusionName[];
  /** "fp32" unless said. Inputs and outputs stay as they are. */
  dtype?: ModelDType;
  /** With q8, whether weights have 7 bits (see `QuantizeOptions`). */
  reduceRange?: boolean | undefined;
  /** Operator set, 17 to 21; 21 unless said. */
  opset?: number;
  /** Keep large initialisers in a file beside the model; needed above 2 GB. */
  external?: ExternalDataOptions;
  /** Written into the model as metadata_props. */
  metadata?: Readonly<Record<string, string>>;
}

/** A model, and how its parts belong to those of the graph. */
export interface Lowered {
  readonly model: Uint8Array;
  /** ONNX input of each graph input that is fed; inputs that became initialisers are not here. */
  readonly inputs: Readonly<Record<string, OnnxPort>>;
  /** ONNX output of each graph output. Its name differs from the key where an input has that name already. */
  readonly outputs: Readonly<Record<string, OnnxPort>>;
  readonly externalData?: ExternalData;
  /** Scope of each node, by node name (`scope/op_12`): profiles are summed with it. */
  readonly nodeScopes: Readonly<Record<string, string>>;
  /**
   * The values that are made, operands first, and what each is made from: its own operands (the same array), or those of the
   * pattern that a fusion replaced.
   */
  readonly made: ReadonlyMap<Value, readonly Value[]>;
}

/**
 * Lowers a graph to an ONNX model. Of a graph with open axes the model has open axes, with the same names.
 * @throws DTypeError for float64 values other than those of linear models, NameError and ShapeError for initialisers that do not fit,
 *   EngineError for collectives between several workers, ShapeError where more than sizes depends on the length of an open axis.
 */
export function toOnnx(g: Graph | DynamicGraph, options: LowerOptions = {}): Lowered {
  const { opset = OPSET, dtype = "fp32" } = options;
  const exact = isDynamic(g) ? dynamicDraft(g, options) : draftOf(g, options);
  const { nodeScopes, made, ...draft } = PASSES[dtype](downgrade(exact, opset), options);
  const { tensors, externalData } = place(draft.initializers, options.external);
  const onnxGraph: OnnxGraph = {
    name: draft.name,
    nodes: draft.nodes,
    initializers: tensors,
    inputs: Object.values(draft.inputs),
    outputs: Object.values(draft.outputs),
  };
  return {
    model: encodeModel(modelOf(onnxGraph, opset, options.metadata ?? {})),
    inputs: draft.inputs,
    outputs: draft.outputs,
    nodeScopes,
    made,
    ...(externalData && { externalData }),
  };
}

const PASSES: { readonly [D in ModelDType]: (draft: Draft, options: LowerOptions) => Draft } = {
  fp32: (draft) => draft,
  fp16: half,
  q8: quantize,
};

function dynamicDraft(g: DynamicGraph, options: LowerOptions): Draft {
  const traces = sample(g);
  return joinDrafts({ ...traces, of: traces.of.map((trace) => draftOf(trace, options)) });
}

function draftOf(g: Graph, options: LowerOptions): Draft {
  const { initializers = {} } = options;
  checkDTypes(g);
  checkInitializers(g, initializers);
  const fixed = new Set(Object.keys(initializers));
  const outputNames = nameOutputs(g);
  const e = new Emitter([...Object.keys(g.inputs), ...Object.values(outputNames)], options.target);
  for (const [name, t] of Object.entries(initializers)) e.initializers.set(name, t);
  const { tensors, made } = emitAll(g, e, options);
  const nodes = nameResults(g, e, tensors, outputNames);
  return {
    name: g.name,
    nodes,
    initializers: e.initializers,
    inputs: ports(Object.entries(g.inputs).filter(([name]) => !fixed.has(name))),
    outputs: ports(Object.entries(g.outputs), outputNames),
    nodeScopes: e.scopes,
    made,
  };
}

interface Emitted extends Pick<Lowered, "made"> {
  /** The ONNX tensor of each value. */
  readonly tensors: ReadonlyMap<Value, string>;
}

function emitAll(g: Graph, e: Emitter, { fusions }: LowerOptions): Emitted {
  const chosen = allFusions.filter((f) => !fusions || fusions.includes(f.name));
  const tensors = new Map<Value, string>();
  const made = new Map<Value, readonly Value[]>();
  for (const [value, step] of plan(g, chosen)) {
    e.enter(value.scope, value.op);
    made.set(value, step.operands);
    tensors.set(
      value,
      step.emit(
        e,
        step.operands.map((v) => tensors.get(v)!),
      ),
    );
  }
  return { tensors, made };
}

function modelOf(graph: OnnxGraph, version: number, metadata: Readonly<Record<string, string>>): OnnxModel {
  const opsets = [{ domain: "", version }];
  if (graph.nodes.some((n) => n.domain === "com.microsoft")) opsets.push({ domain: "com.microsoft", version: 1 });
  return { irVersion: IR_VERSIONS[version]!, producer: "flava", opsets, metadata, graph };
}

/** Output names; a name that an input has gets a mark, because ONNX tensors have one name space. */
function nameOutputs(g: Graph): Record<string, string> {
  const taken = new Set([...Object.keys(g.inputs), ...Object.keys(g.outputs)]);
  return Object.fromEntries(
    Object.keys(g.outputs).map((name) => {
      if (!(name in g.inputs)) return [name, name];
      let fresh = `${name}:out`;
      while (taken.has(fresh)) fresh += "'";
      taken.add(fresh);
      return [name, fresh];
    }),
  );
}

/** Gives the results their names: by renaming a node's tensor, or by an Identity for leaves and for second names. */
function nameResults(
  g: Graph,
  e: Emitter,
  tensors: ReadonlyMap<Value, string>,
  names: Readonly<Record<string, string>>,
): OnnxNode[] {
  const made = new Set(e.nodes.flatMap((n) => n.outputs));
  const renamed = new Map<string, string>();
  for (const [key, value] of Object.entries(g.outputs)) {
    const tensor = tensors.get(value)!;
    if (made.has(tensor) && !renamed.has(tensor)) renamed.set(tensor, names[key]!);
    else {
      e.enter(value.scope, "identity");
      const copy = e.node("Identity", [tensor]);
      renamed.set(copy, names[key]!);
    }
  }
  const rename = (tensor: string): string => renamed.get(tensor) ?? tensor;
  return e.nodes.map((n) => ({ ...n, inputs: n.inputs.map(rename), outputs: n.outputs.map(rename) }));
}

const ports = (
  values: readonly (readonly [string, Value])[],
  names?: Readonly<Record<string, string>>,
): Record<string, OnnxPort> =>
  Object.fromEntries(values.map(([key, v]) => [key, { name: names?.[key] ?? key, dtype: v.dtype, shape: v.shape }]));

/** Operations that may be float64: those of linear models. No model of images or texts needs it. */
const FLOAT64: ReadonlySet<Op> = new Set<Op>([
  ...(["input", "constant", "neg", "exp", "log", "add", "sub", "mul", "div", "reshape", "permute"] as const),
  ...(["broadcastTo", "sum", "reduceMax", "matmul", "softmax", "logSoftmax"] as const),
]);

function checkDTypes(g: Graph): void {
  const wide = g.nodes.find((v) => v.dtype === "float64" && !FLOAT64.has(v.op));
  if (wide)
    throw new DTypeError(
      `${g.name}: expected float32 values, got ${wide}`,
      `ONNX Runtime has float64 kernels for ${[...FLOAT64].join(", ")}; the interpreter takes all`,
    );
  const low = g.nodes.find((v) => v.dtype === "float32" && v.op !== "cast" && v.inputs[0]?.dtype === "bfloat16");
  if (low)
    throw new DTypeError(
      `${g.name}: products of bfloat16 are not lowered to ONNX: ${low}`,
      "ONNX Runtime multiplies float32 on processors: leave dtype at fp32, or use a device xla:…",
    );
}

function checkInitializers(g: Graph, initializers: Readonly<Record<string, Tensor>>): void {
  for (const [name, t] of Object.entries(initializers)) {
    const v = g.inputs[name];
    if (!v)
      throw new NameError(
        `${g.name}: initializer "${name}": expected the name of an input`,
        `inputs: ${Object.keys(g.inputs).join(", ")}`,
      );
    if (v.dtype !== t.dtype)
      throw new DTypeError(`${g.name}: initializer "${name}": expected ${v.dtype}, got ${t.dtype}`);
    if (!sameShape(v.shape, t.shape))
      throw new ShapeError(
        `${g.name}: initializer "${name}": expected ${formatShape(v.shape)}, got ${formatShape(t.shape)}`,
      );
  }
}
