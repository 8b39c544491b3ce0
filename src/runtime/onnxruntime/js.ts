/**
 * The second engine on Node: onnxruntime-node's own JavaScript API, for platforms where koffi has no binary. A run blocks
 * the event loop and copies every output, buffers are host arrays, and a run cannot be interrupted.
 */
import { readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { EngineError } from "../../errors.ts";
import { allocate, type DataOf, type DType, type Shape, size, type Tensor } from "../../tensor/index.ts";
import { checkData, checkRun, isTensor } from "../check.ts";
import { BufferHandle, claimBuffers } from "../claims.ts";
import { Handle } from "../handle.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "../session.ts";
import { checkOptions, configEntries } from "./config.ts";
import type { Engine, Model, OrtSessionOptions } from "./engine.ts";

type Ort = typeof import("onnxruntime-common");

const DTYPES: readonly DType[] = ["float64", "float32", "float16", "int64", "int32", "uint8", "bool"];

/** A buffer that is a host array. A run replaces its array by the engine's output. */
class HostBuffer implements Buffer {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly sizeBytes: number;
  readonly handle: BufferHandle;
  array: DataOf[DType];

  /** Takes over `t`. */
  constructor(t: Tensor) {
    this.dtype = t.dtype;
    this.shape = Object.freeze([...t.shape]);
    this.array = t.data;
    this.sizeBytes = t.data.byteLength;
    this.handle = new BufferHandle(t.dtype, this.shape, () => {
      this.array = allocate(t.dtype, 0);
    });
  }

  read(): Tensor {
    this.handle.checkRead();
    return { dtype: this.dtype, shape: [...this.shape], data: this.array.slice() };
  }

  write(t: Tensor): void {
    this.handle.checkWrite(t);
    this.array = t.data.slice();
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const isOurs = (buffer: Buffer): buffer is HostBuffer => buffer instanceof HostBuffer;

class JsSession implements Session {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  private readonly ort: Ort;
  private readonly session: InferenceSession;
  private readonly handle: Handle;
  private profile: string | undefined;

  constructor(ort: Ort, session: InferenceSession, name: string, profile: string | undefined) {
    this.ort = ort;
    this.session = session;
    this.name = name;
    this.profile = profile;
    this.inputs = session.inputMetadata.map((meta) => toPort(name, meta));
    this.outputs = session.outputMetadata.map((meta) => toPort(name, meta));
    this.handle = new Handle(`session ${name}`, () => void session.release());
  }

  async run(
    feeds: SessionFeeds,
    want: Readonly<Record<string, Want>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor | Buffer>> {
    options.signal?.throwIfAborted();
    this.handle.check();
    checkRun(this.name, this.inputs, this.outputs, feeds, want);
    const giveBack = claimBuffers(this.name, isOurs, feeds, want);
    this.handle.enter();
    try {
      const inputs = Object.entries(feeds).map(([name, value]) => [name, this.toOrt(value as Tensor | HostBuffer)]);
      const results = await this.session.run(Object.fromEntries(inputs), Object.keys(want));
      options.signal?.throwIfAborted();
      return Object.fromEntries(
        Object.entries(want).map(([name, target]) => [name, settle(fromOrt(results[name]!), target)]),
      );
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new EngineError(`${this.name}: ${(error as Error).message.trim()}`, undefined, { cause: error });
    } finally {
      giveBack();
      this.handle.leave();
    }
  }

  endProfiling(): string {
    this.handle.check();
    if (this.profile === undefined)
      throw new EngineError(`${this.name}: endProfiling: no profile is recorded`, "pass `profile` when creating it");
    this.session.endProfiling();
    const path = newestWithPrefix(this.profile);
    this.profile = undefined;
    return path;
  }

  dispose(): void {
    this.handle.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  private toOrt(value: Tensor | HostBuffer): OrtTensor {
    const data = isTensor(value) ? value.data : value.array;
    return new this.ort.Tensor(value.dtype as "float32", data as Float32Array, value.shape);
  }
}

function toPort(where: string, meta: InferenceSession.ValueMetadata): PortInfo {
  if (!meta.isTensor) throw new EngineError(`${where}: "${meta.name}": expected a tensor`);
  if (!(DTYPES as readonly string[]).includes(meta.type))
    throw new EngineError(
      `${where}: "${meta.name}": element type ${meta.type} has no dtype here`,
      "cast it inside the graph to float32, int64 or another dtype of flava",
    );
  return { name: meta.name, dtype: meta.type as DType, shape: meta.shape.map((axis) => (axis === "" ? "?" : axis)) };
}

/** Node 24's Float16Array is seen as raw bits. */
function fromOrt(t: OrtTensor): Tensor {
  const data = t.data as DataOf[DType];
  const dtype = t.type as DType;
  const bits = dtype === "float16" ? new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length) : data;
  return { dtype, shape: [...t.dims], data: bits };
}

function settle(result: Tensor, target: Want): Tensor | Buffer {
  if (target === "host") return result;
  if (target === "buffer") return new HostBuffer(result);
  if (isTensor(target)) (target.data as Float32Array).set(result.data as Float32Array);
  else (target as HostBuffer).array = result.data;
  return target;
}

/** The engine adds a date to the prefix and does not report the name. */
function newestWithPrefix(prefix: string): string {
  const folder = dirname(prefix);
  const files = readdirSync(folder)
    .filter((file) => file.startsWith(basename(prefix)) && file.endsWith(".json"))
    .map((file) => join(folder, file));
  const newest = files.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined) throw new EngineError(`endProfiling: no file ${prefix}*.json was written`);
  return newest;
}

const LEVELS = { none: "disabled", basic: "basic", extended: "extended", all: "all" } as const;

function toOrtOptions(options: OrtSessionOptions): InferenceSession.SessionOptions {
  const { externalData, profile, interOpThreads = 1 } = options;
  return {
    executionProviders: ["cpu"],
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: interOpThreads,
    executionMode: interOpThreads > 1 ? "parallel" : "sequential",
    graphOptimizationLevel: LEVELS[options.optimization ?? "all"],
    enableCpuMemArena: options.arena !== "none",
    enableMemPattern: options.memoryPattern ?? false,
    logSeverityLevel: 4,
    extra: configEntries(options),
    ...(options.name === undefined ? {} : { logId: options.name }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(externalData && { externalData: Object.entries(externalData).map(([path, data]) => ({ path, data })) }),
  };
}

async function createSession(ort: Ort, model: Model, options: OrtSessionOptions): Promise<Session> {
  options.signal?.throwIfAborted();
  const name = options.name ?? "session";
  checkOptions(name, options);
  const native = toOrtOptions(options);
  try {
    const session =
      model instanceof Uint8Array
        ? await ort.InferenceSession.create(model, native)
        : await ort.InferenceSession.create(model.path, native);
    options.signal?.throwIfAborted();
    return new JsSession(ort, session, name, options.profile);
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(`${name}: ${(cause as Error).message.trim()}`, undefined, { cause });
  }
}

/** Opens the engine. Throws EngineError when onnxruntime-node is missing or does not load. */
export async function openJsEngine(): Promise<Engine> {
  let ort: Ort;
  try {
    ort = (await import("onnxruntime-node")) as unknown as Ort;
  } catch (cause) {
    throw new EngineError(
      `cpu-js: onnxruntime-node does not load here (${process.platform}-${process.arch}): ${(cause as Error).message}`,
      "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node (without its download of CUDA)",
      { cause },
    );
  }
  return {
    name: "ort-js",
    version: ort.env.versions.node ?? "unknown",
    createSession: (model, options = {}) => createSession(ort, model, options),
    allocate: (dtype, shape) => new HostBuffer({ dtype, shape, data: allocate(dtype, size(shape)) }),
    upload: (t) => {
      checkData("upload", t);
      return new HostBuffer({ ...t, data: t.data.slice() });
    },
  };
}
