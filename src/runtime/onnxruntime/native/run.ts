/** One run's values: host arrays wrapped without a copy, engine buffers claimed, and the outputs gathered afterwards. */
import { allocate, type DType, type Shape, size, type Tensor } from "../../../tensor/index.ts";
import { type Axes, isTensor, resolveShape } from "../../check.ts";
import { claimBuffers } from "../../claims.ts";
import type { Buffer, PortInfo, SessionFeeds, Want } from "../../session.ts";
import { NativeBuffer, type OrtBuffer } from "./buffer.ts";
import type { NativeMemory } from "./memory.ts";
import { dtypeOf, elementType, type Ort, type Pointer } from "./ort.ts";
import { readTensorInfo } from "./ports.ts";

export interface RunRequest {
  readonly ort: Ort;
  readonly memory: NativeMemory;
  readonly where: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /** Checked by `checkRun`, which also gives `axes`. */
  readonly feeds: SessionFeeds;
  readonly want: Readonly<Record<string, Want>>;
  readonly axes: Axes;
}

/** The arrays for `OrtApi::Run`. */
export interface Bound {
  readonly inputNames: readonly string[];
  readonly inputValues: BigUint64Array;
  readonly outputNames: readonly string[];
  /** Zero where the engine allocates; filled by the run. */
  readonly outputValues: BigUint64Array;
}

/** A run that has what it needs. */
export interface PreparedRun {
  /** The arrays; to be called when the engine may be. */
  bind(): Promise<Bound>;
  /** Results of a run that succeeded. */
  collect(): Record<string, Tensor | Buffer>;
  /** Releases the wrappers and gives the buffers back; always to be called. */
  close(): void;
}

/** Native memory must have an address even when a tensor is empty. */
const NOTHING = new Uint8Array(8);

function wrap({ ort, where }: RunRequest, t: Tensor): Pointer {
  const data = t.data.byteLength > 0 ? t.data : NOTHING;
  const dims = ort.lengths(t.shape);
  const rank = t.shape.length;
  const type = elementType(t.dtype);
  return ort.get(where, "CreateTensorWithDataAsOrtValue", ort.cpu, data, t.data.byteLength, dims, rank, type);
}

/** Claims everything a run needs. Throws EngineError when a buffer is of another engine, disposed or in use. */
export function prepareRun(request: RunRequest): PreparedRun {
  const { ort, where, inputs, feeds, want, axes, memory } = request;
  const outputs = request.outputs.filter((port) => want[port.name] !== undefined);
  const giveBack = claimBuffers(where, memory.isOurs, feeds, want);
  const wrappers: Pointer[] = [];
  const made: (Tensor | OrtBuffer | undefined)[] = [];
  let outputValues = new BigUint64Array(0);
  const close = (): void => {
    for (const pointer of wrappers) ort.release("ReleaseValue", pointer);
    giveBack();
  };
  const own = (t: Tensor): Pointer => {
    const pointer = wrap(request, t);
    wrappers.push(pointer);
    return pointer;
  };
  const ortValueOf = (value: Tensor | Buffer): Pointer | Promise<Pointer> =>
    isTensor(value) ? own(value) : (value as OrtBuffer).ortValue();
  const targetOf = (port: PortInfo): Tensor | OrtBuffer | undefined => {
    const shape = resolveShape(port, axes);
    if (!shape) return undefined;
    if (want[port.name] === "buffer") return memory.fresh?.(port.dtype, shape);
    return { dtype: port.dtype, shape, data: allocate(port.dtype, size(shape)) } as Tensor;
  };
  const bind = async (): Promise<Bound> => {
    const inputValues = new BigUint64Array(inputs.length);
    outputValues = new BigUint64Array(outputs.length);
    for (const [i, { name }] of inputs.entries()) inputValues[i] = await ortValueOf(feeds[name]!);
    for (const [i, port] of outputs.entries()) {
      const target = want[port.name]!;
      if (typeof target !== "object") made[i] = targetOf(port);
      const value = typeof target === "object" ? target : made[i];
      if (value) outputValues[i] = await ortValueOf(value);
    }
    return { inputNames: names(inputs), inputValues, outputNames: names(outputs), outputValues };
  };
  const collect = (): Record<string, Tensor | Buffer> =>
    Object.fromEntries(
      outputs.map(({ name }, i) => {
        const target = want[name]!;
        if (typeof target === "object") return [name, target];
        return [name, made[i] ?? take(request, outputValues[i]!, target)];
      }),
    );
  return { bind, collect, close };
}

const names = (ports: readonly PortInfo[]): string[] => ports.map((port) => port.name);

/** Takes over a value that the engine allocated. */
function take({ ort, where }: RunRequest, value: Pointer, target: "host" | "buffer"): Tensor | Buffer {
  const { dtype, shape } = describe(ort, where, value);
  const buffer = new NativeBuffer(ort, value, dtype, shape);
  if (target === "buffer") return buffer;
  const t = buffer.read();
  buffer.dispose();
  return t;
}

function describe(ort: Ort, where: string, value: Pointer): { dtype: DType; shape: Shape } {
  const info = ort.get(where, "GetTensorTypeAndShape", value);
  try {
    const { type, shape } = readTensorInfo(ort, where, info);
    return { dtype: dtypeOf(type)!, shape: shape as number[] };
  } finally {
    ort.release("ReleaseTensorTypeAndShapeInfo", info);
  }
}
