/** From a graph or program to something that runs on a device. */
import { EngineError, NameError } from "../errors.ts";
import {
  type AxisSizes,
  type DynamicGraph,
  type Graph,
  graph,
  isDynamic,
  type Program,
  sample,
  type Value,
} from "../graph/index.ts";
import { optimize, type PrecisionOptions, precision } from "../graph/passes/index.ts";
import type { ModelDType } from "../lower/onnx/index.ts";
import { nearest, type Tensor } from "../tensor/index.ts";
import type { Device } from "./device.ts";
import type { Buffer, Session, SessionFeeds, SessionOptions, Want } from "./session.ts";
import { sizedSessions } from "./sized-sessions.ts";
import { State } from "./state.ts";

/** How a program is compiled, and where its inputs come from. */
export interface CompileOptions extends SessionOptions {
  /** Inputs that are tensors of this state need no feed. Required when the program has updates. */
  state?: State;
  /** Inputs that become fixed numbers: the weights of an inference graph, which the engine packs once. */
  weights?: Readonly<Record<string, Tensor>>;
  /**
   * What `weights` and the products with them are kept in: "fp32" (default), "fp16", or "q8": 8-bit whole numbers, for inference on
   * processors. With q8 activations are rounded together, so a result depends a little on what else is in the batch.
   */
  dtype?: ModelDType | undefined;
  /** Products and convolutions read bfloat16 (graph/passes/precision.ts); float32 unless said. */
  precision?: PrecisionOptions;
}

/** A compiled program; it keeps its session until it is disposed. */
export interface Executable extends Disposable {
  readonly name: string;
  /** Names that `run` must be given. */
  readonly feeds: readonly string[];
  readonly outputs: readonly string[];
  /** State tensors that a run replaces; those in `inPlace` are overwritten where they lie, the others swapped. */
  readonly updates: readonly string[];
  readonly inPlace: ReadonlySet<string>;
  /** The graph as it runs, after the passes; where axes are open, at some length of them. */
  readonly graph: Graph;
  /**
   * Runs once: computes the wanted outputs (all unless said) on the host and replaces the state. Feeds may lie on the device
   * already. Runs that share a state take turns. `signal` is looked at before the run only when state would be left half-written, during it otherwise.
   */
  run(
    feeds: SessionFeeds,
    options?: { want?: readonly string[]; signal?: AbortSignal },
  ): Promise<Record<string, Tensor>>;
  /** Ends profiling; the path of the engine's file. */
  endProfiling(): string;
  dispose(): void;
}

/** Results and next state travel under names of their own, so that they collide neither with each other nor with inputs. */
const resultName = (output: string): string => `result:${output}`;
const updateName = (state: string): string => `update:${state}`;

/**
 * Compiles a graph, a graph with open axes, or a program whose updates go to `options.state`.
 * @throws NameError when an update has no state tensor, EngineError when the engine refuses the graph.
 */
export async function compile(
  program: Program | Graph | DynamicGraph,
  device: Device,
  options: CompileOptions = {},
): Promise<Executable> {
  checkDType(program.name, device, options.dtype);
  if (isDynamic(program)) return compileDynamic(program, device, options);
  const { state = new State(device), weights = {}, precision: low, dtype, ...sessionOptions } = options;
  const updates: Record<string, Value> = { ...("updates" in program ? program.updates : {}) };
  for (const [name, value] of Object.entries(updates)) {
    if (!state.has(name))
      throw new NameError(
        `${program.name}: updates "${name}", which is not in the state`,
        nearest(name, state.names()),
      );
    if (value.op === "input" && (value as Value<"input">).attrs.name === name) delete updates[name];
  }
  const names = Object.keys(updates);
  const all = {
    ...Object.fromEntries(Object.entries(program.outputs).map(([name, value]) => [resultName(name), value])),
    ...Object.fromEntries(names.map((name) => [updateName(name), updates[name]!])),
  };
  const traced = passes(graph(program.name, all), device.rounds ? undefined : low);
  const task = {
    bfloat16: low !== undefined,
    graph: traced,
    weights,
    dtype,
    updates: Object.fromEntries(names.map((name) => [name, updateName(name)])),
  };
  const { session, inPlace } = await device.prepare(task, sessionOptions);
  return executable(session, {
    graph: traced,
    state,
    updates: names,
    inPlace,
    inputs: session.inputs.map(({ name }) => name),
    outputs: Object.keys(program.outputs),
  });
}

function checkDType(where: string, { name, dtypes = [] }: Device, dtype: ModelDType = "fp32"): void {
  if (dtype === "fp32" || dtypes.includes(dtype)) return;
  throw new EngineError(
    `${where}: device ${name} runs fp32${dtypes.map((other) => ` and ${other}`).join("")}, not ${dtype}`,
    "device cpu runs fp16 and q8",
  );
}

function passes(g: Graph, low: PrecisionOptions | undefined): Graph {
  const exact = optimize(g);
  return low ? precision(exact, low) : exact;
}

async function compileDynamic(
  { name, axes, trace }: DynamicGraph,
  device: Device,
  { state = new State(device), weights = {}, precision: low, dtype, ...options }: CompileOptions,
): Promise<Executable> {
  const bfloat16 = low !== undefined;
  const results = ({ outputs }: Graph): Record<string, Value> =>
    Object.fromEntries(Object.entries(outputs).map(([key, value]) => [resultName(key), value]));
  const traced = new Map<string, Graph>(); // until the session stands: its making asks twice for the same lengths
  const traceOnce = (sizes: AxisSizes): Graph => {
    const key = JSON.stringify(sizes);
    const known = traced.get(key) ?? passes(graph(name, results(trace(sizes))), device.rounds ? undefined : low);
    if (!session) traced.set(key, known);
    return known;
  };
  let session: Session | undefined;
  const g: DynamicGraph = { name, axes, trace: traceOnce };
  const open = async (fixed: Graph): Promise<Session> =>
    (await device.prepare({ graph: fixed, weights, dtype, bfloat16 }, options)).session;
  const example = sample(g).of[0]!;
  session = device.prepareDynamic
    ? await device.prepareDynamic({ graph: g, weights, dtype, bfloat16 }, options)
    : sizedSessions(g, new Set(Object.keys(weights)), open);
  traced.clear();
  return executable(session, {
    graph: example,
    state,
    updates: [],
    inPlace: new Set(),
    inputs: session.inputs.map((port) => port.name),
    outputs: Object.keys(example.outputs).map((key) => key.slice(resultName("").length)),
  });
}

interface Parts {
  readonly graph: Graph;
  readonly state: State;
  readonly updates: readonly string[];
  readonly inPlace: ReadonlySet<string>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

function executable(session: Session, parts: Parts): Executable {
  const { graph: traced, state, updates, inPlace, inputs, outputs } = parts;
  const fromState = inputs.filter((name) => state.has(name));
  const feeds = inputs.filter((name) => !state.has(name));

  const once = async (given: SessionFeeds, want: readonly string[], signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    const all: Record<string, Tensor | Buffer> = { ...given };
    for (const name of fromState) all[name] = state.buffer(name);
    const wants: Record<string, Want> = Object.fromEntries(want.map((name) => [resultName(name), "host"]));
    for (const name of updates) wants[updateName(name)] = inPlace.has(name) ? state.buffer(name) : state.spare(name);
    const during = signal && inPlace.size === 0 ? { signal } : {};
    const results = await session.run(all, wants, during);
    for (const name of updates) if (!inPlace.has(name)) state.swap(name);
    return Object.fromEntries(want.map((name) => [name, results[resultName(name)] as Tensor]));
  };

  return {
    name: traced.name,
    feeds,
    outputs,
    updates,
    inPlace,
    graph: traced,
    run: async (given, { want = outputs, signal } = {}) => {
      checkNames(traced.name, "feed", Object.keys(given), feeds, (name) => state.has(name));
      checkNames(traced.name, "result", want, outputs);
      return state.inTurn(() => once(given, want, signal));
    },
    endProfiling: () => session.endProfiling(),
    dispose: () => session.dispose(),
    [Symbol.dispose]: () => session.dispose(),
  };
}

function checkNames(
  where: string,
  kind: string,
  given: readonly string[],
  known: readonly string[],
  isState: (name: string) => boolean = () => false,
): void {
  for (const name of given)
    if (!known.includes(name)) {
      if (isState(name)) throw new NameError(`${where}: "${name}" is state and cannot be fed`, "use state.write");
      throw new NameError(`${where}: there is no ${kind} "${name}"`, nearest(name, known));
    }
}
