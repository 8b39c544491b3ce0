/**
 * Sessions of ONNX Runtime's JavaScript API, which onnxruntime-node and onnxruntime-web share. A run cannot be interrupted. Where the
 * buffers lie is for a `Memory` to say.
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { EngineError } from "../../errors.ts";
import type { DataOf, DType, Shape, Tensor } from "../../tensor/index.ts";
import { checkRun, isTensor, resolveShape } from "../check.ts";
import { type BufferHandle, claimBuffers } from "../claims.ts";
import { Handle } from "../handle.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "../session.ts";

/** What either package exports. */
export type Ort = typeof import("onnxruntime-common");

/** A buffer that knows who uses it. */
export interface HeldBuffer extends Buffer {
  readonly handle: BufferHandle;
}

/** Where the buffers of an engine lie, and how they go in and out of a run. */
export interface Memory<B extends HeldBuffer = HeldBuffer> {
  isOurs(buffer: Buffer): buffer is B;
  allocate(dtype: DType, shape: Shape): B;
  upload(t: Tensor): B;
  /** The buffer as a feed. */
  feed(buffer: B): OrtTensor;
  /** What the engine writes an output to; null: to a tensor of its own, which `take` is given. */
  target(buffer: B): OrtTensor | null;
  take(buffer: B, result: OrtTensor): void;
}

/** What a session is made of. */
export interface JsSessionParts {
  readonly ort: Ort;
  readonly session: InferenceSession;
  readonly name: string;
  readonly memory: Memory;
  /** Waits until the engine may be called; it may be called at any time unless said. */
  readonly inTurn?: <T>(work: () => Promise<T>) => Promise<T>;
  /** Ends the profile that is recorded; the path of its file. */
  readonly endProfile?: (() => string) | undefined;
}

const DTYPES: readonly DType[] = ["float64", "float32", "float16", "int64", "int32", "uint8", "bool"];

/** One session. */
export class JsSession implements Session {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  private readonly parts: JsSessionParts;
  private readonly handle: Handle;
  private profiling: boolean;

  constructor(parts: JsSessionParts) {
    const { session, name, endProfile } = parts;
    this.parts = parts;
    this.name = name;
    this.profiling = endProfile !== undefined;
    this.inputs = session.inputMetadata.map((meta) => toPort(name, meta));
    this.outputs = session.outputMetadata.map((meta) => toPort(name, meta));
    this.handle = new Handle(`session ${name}`, () => void this.inTurn(() => session.release()));
  }

  async run(
    feeds: SessionFeeds,
    want: Readonly<Record<string, Want>>,
    { signal }: RunOptions = {},
  ): Promise<Record<string, Tensor | Buffer>> {
    signal?.throwIfAborted();
    this.handle.check();
    const axes = checkRun(this.name, this.inputs, this.outputs, feeds, want);
    const shapeOf = (port: PortInfo): number[] | undefined => resolveShape(port, axes);
    const giveBack = claimBuffers(this.name, this.parts.memory.isOurs, feeds, want);
    this.handle.enter();
    try {
      return await this.inTurn(async () => {
        signal?.throwIfAborted();
        const found = await this.compute(feeds, want, shapeOf);
        signal?.throwIfAborted();
        return found;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof EngineError) throw error;
      throw new EngineError(`${this.name}: ${messageOf(error)}`, undefined, { cause: error });
    } finally {
      giveBack();
      this.handle.leave();
    }
  }

  endProfiling(): string {
    this.handle.check();
    if (!this.profiling)
      throw new EngineError(`${this.name}: endProfiling: no profile is recorded`, "pass `profile` when creating it");
    this.profiling = false;
    return this.parts.endProfile!();
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

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.parts.inTurn ? this.parts.inTurn(work) : work();
  }

  private async compute(
    feeds: SessionFeeds,
    want: Readonly<Record<string, Want>>,
    shapeOf: (port: PortInfo) => number[] | undefined,
  ): Promise<Record<string, Tensor | Buffer>> {
    const { ort, session, memory } = this.parts;
    const inputs = Object.entries(feeds).map(([name, value]) => [
      name,
      isTensor(value) ? toOrt(ort, value) : memory.feed(value as HeldBuffer),
    ]);
    const targets = Object.entries(want).map(
      ([name, target]) => [name, this.bufferFor(name, target, shapeOf)] as const,
    );
    const fetches = targets.map(([name, buffer]) => [name, buffer ? memory.target(buffer) : null]);
    const results = await session.run(Object.fromEntries(inputs), Object.fromEntries(fetches));
    const settled = targets.map(async ([name, buffer]) => {
      const result = results[name]!;
      if (buffer) {
        memory.take(buffer, result);
        return [name, buffer] as const;
      }
      const target = want[name]!;
      const found = await fromOrt(result);
      if (target === "host") return [name, found] as const;
      (target as Tensor<"float32">).data.set(found.data as Float32Array);
      return [name, target as Tensor] as const;
    });
    return Object.fromEntries(await Promise.all(settled));
  }

  private bufferFor(
    name: string,
    target: Want,
    shapeOf: (port: PortInfo) => number[] | undefined,
  ): HeldBuffer | undefined {
    if (target === "host" || (typeof target === "object" && isTensor(target))) return undefined;
    if (target !== "buffer") return target as HeldBuffer;
    const port = this.outputs.find((one) => one.name === name)!;
    const shape = shapeOf(port);
    if (!shape)
      throw new EngineError(
        `${this.name}: output "${name}": expected a shape that is known before the run, got (${port.shape.join(", ")})`,
        "ask for it on the host",
      );
    return this.parts.memory.allocate(port.dtype, shape);
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

/** A host array as the engine takes it. */
export const toOrt = (ort: Ort, { dtype, data, shape }: Tensor): OrtTensor =>
  new ort.Tensor(dtype as "float32", data as Float32Array, shape);

/** Float16Array, where there is one, is seen as raw bits. */
async function fromOrt(t: OrtTensor): Promise<Tensor> {
  const data = (t.location === "cpu" || t.location === "cpu-pinned" ? t.data : await t.getData(true)) as DataOf[DType];
  return { dtype: t.type as DType, shape: [...t.dims], data: bitsOf(t.type as DType, data) };
}

/** The numbers of an engine's array as ours. */
export const bitsOf = (dtype: DType, data: DataOf[DType]): DataOf[DType] =>
  dtype === "float16" ? new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length) : data;

/** What an engine says went wrong; the web's throws numbers and strings too. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim();
