/** One run's values: host arrays wrapped without a copy, engine buffers claimed, and the outputs gathered afterwards. */
import { allocate, type DType, type Shape, size, type Tensor } from "../../../tensor/index.ts";
import { type Axes, resolveShape } from "../../check.ts";
import { claimBuffers } from "../../claims.ts";
import type { Buffer, PortInfo, SessionFeeds, Want } from "../../session.ts";
import { NativeBuffer } from "./buffer.ts";
import { dtypeOf, elementType, type Ort, type Pointer } from "./ort.ts";
import { readTensorInfo } from "./ports.ts";

export interface RunRequest {
  readonly ort: Ort;
  readonly where: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  /** Checked by `checkRun`, which also gives `axes`. */
  readonly feeds: SessionFeeds;
  readonly want: Readonly<Record<string, Want>>;
  readonly axes: Axes;
}

/** The arrays for `OrtApi::Run`, and what to do after it. */
export interface PreparedRun {
  readonly inputNames: readonly string[];
  readonly inputValues: BigUint64Array;
  readonly outputNames: readonly string[];
  /** Zero where the engine allocates; filled by the run. */
  readonly outputValues: BigUint64Array;
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
  const { ort, where, feeds, want, axes } = request;
  const inputs = request.inputs;
  const outputs = request.outputs.filter((port) => want[port.name] !== undefined);
  const isOurs = (buffer: Buffer): buffer is NativeBuffer => buffer instanceof NativeBuffer && buffer.ort === ort;
  const giveBack = claimBuffers(where, isOurs, feeds, want);
  const wrappers: Pointer[] = [];
  const hostOutputs: (Tensor | undefined)[] = [];
  const close = (): void => {
    for (const pointer of wrappers) ort.release("ReleaseValue", pointer);
    giveBack();
  };
  const own = (t: Tensor): Pointer => {
    const pointer = wrap(request, t);
    wrappers.push(pointer);
    return pointer;
  };
  try {
    const inputValues = BigUint64Array.from(inputs, ({ name }) => {
      const value = feeds[name]!;
      return value instanceof NativeBuffer ? value.value : own(value as Tensor);
    });
    const outputValues = BigUint64Array.from(outputs, (port, i) => {
      const target = want[port.name]!;
      if (target instanceof NativeBuffer) return target.value;
      if (typeof target === "object") return own(target as Tensor);
      const shape = target === "host" ? resolveShape(port, axes) : undefined;
      if (!shape) return 0n;
      hostOutputs[i] = { dtype: port.dtype, shape, data: allocate(port.dtype, size(shape)) };
      return own(hostOutputs[i]);
    });
    const collect = (): Record<string, Tensor | Buffer> =>
      Object.fromEntries(
        outputs.map(({ name }, i) => {
          const target = want[name]!;
          if (typeof target === "object") return [name, target];
          return [name, hostOutputs[i] ?? take(request, outputValues[i]!, target)];
        }),
      );
    const names = (ports: readonly PortInfo[]): string[] => ports.map((port) => port.name);
    return { inputNames: names(inputs), inputValues, outputNames: names(outputs), outputValues, collect, close };
  } catch (error) {
    close();
    throw error;
  }
}

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
