/** A session of ONNX Runtime's C API: asynchronous runs, outputs written straight into their destination. */
import { EngineError } from "../../../errors.ts";
import type { Tensor } from "../../../tensor/index.ts";
import { checkRun } from "../../check.ts";
import { Handle, watch } from "../../handle.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "../../session.ts";
import { checkOptions } from "../config.ts";
import type { Model, OrtSessionOptions } from "../engine.ts";
import type { NativeMemory } from "./memory.ts";
import { createOptions } from "./options.ts";
import { type Ort, type Pointer, pathBytes } from "./ort.ts";
import { readPorts } from "./ports.ts";
import type { Provider } from "./provider.ts";
import { prepareRun } from "./run.ts";

/** Who is called, and where its buffers lie. */
export interface Place {
  readonly ort: Ort;
  readonly memory: NativeMemory;
}

/** Names as C strings, kept for the life of the session. */
type CNames = ReadonlyMap<string, { readonly bytes: Uint8Array; readonly address: Pointer }>;

export class NativeSession implements Session {
  readonly name: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  readonly pointer: Pointer;
  private readonly ort: Ort;
  private readonly memory: NativeMemory;
  private readonly handle: Handle;
  private readonly cNames: CNames;
  private profiling: boolean;

  /** Takes over `pointer`, unless reading its ports throws. */
  constructor({ ort, memory }: Place, pointer: Pointer, name: string, profiling: boolean) {
    this.inputs = readPorts(ort, name, pointer, "Input");
    this.outputs = readPorts(ort, name, pointer, "Output");
    this.ort = ort;
    this.memory = memory;
    this.pointer = pointer;
    this.name = name;
    this.profiling = profiling;
    this.handle = new Handle(`session ${name}`, () => memory.release("ReleaseSession", pointer));
    watch(this, this.handle);
    this.cNames = new Map(
      [...this.inputs, ...this.outputs].map(({ name }) => {
        const bytes = new TextEncoder().encode(`${name}\0`);
        return [name, { bytes, address: ort.library.address(bytes) }];
      }),
    );
  }

  async run(
    feeds: SessionFeeds,
    want: Readonly<Record<string, Want>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor | Buffer>> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.handle.check();
    const axes = checkRun(this.name, this.inputs, this.outputs, feeds, want);
    const run = prepareRun({
      ort: this.ort,
      memory: this.memory,
      where: this.name,
      inputs: this.inputs,
      outputs: this.outputs,
      feeds,
      want,
      axes,
    });
    this.handle.enter();
    const runOptions = signal ? this.ort.get(this.name, "CreateRunOptions") : 0n;
    const abort = (): void => this.ort.call(this.name, "RunOptionsSetTerminate", runOptions);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.memory.inTurn(async () => {
        signal?.throwIfAborted();
        const bound = await run.bind();
        const inNames = this.addresses(bound.inputNames);
        const outNames = this.addresses(bound.outputNames);
        const ins = [inNames, bound.inputValues, inNames.length] as const;
        const outs = [outNames, outNames.length, bound.outputValues] as const;
        await this.ort.callAsync(this.name, "Run", [this.pointer, runOptions, ...ins, ...outs], run);
      });
      return run.collect();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.ort.release("ReleaseRunOptions", runOptions);
      run.close();
      this.handle.leave();
    }
  }

  /** Runs on values; `keep` stays alive until it is done. For who has the turn. */
  async runValues(
    inputs: Readonly<Record<string, Pointer>>,
    outputs: Readonly<Record<string, Pointer>>,
    keep: unknown,
  ): Promise<void> {
    const side = (values: Readonly<Record<string, Pointer>>): [BigUint64Array, BigUint64Array, number] => [
      this.addresses(Object.keys(values)),
      BigUint64Array.from(Object.values(values)),
      Object.keys(values).length,
    ];
    const [[inNames, ins, inCount], [outNames, outs, outCount]] = [side(inputs), side(outputs)];
    await this.ort.callAsync(
      this.name,
      "Run",
      [this.pointer, 0n, inNames, ins, inCount, outNames, outCount, outs],
      keep,
    );
  }

  endProfiling(): string {
    this.handle.check();
    if (!this.profiling)
      throw new EngineError(
        `${this.name}: endProfiling: the session records no profile`,
        "pass `profile` when creating it",
      );
    this.profiling = false;
    const text = this.ort.get(this.name, "SessionEndProfiling", this.pointer, this.ort.allocator);
    const path = this.ort.library.string(text);
    this.ort.call(this.name, "AllocatorFree", this.ort.allocator, text);
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

  private addresses(names: readonly string[]): BigUint64Array {
    return BigUint64Array.from(names, (name) => this.cNames.get(name)!.address);
  }
}

/** Creates a session on a thread of libuv's pool. Throws EngineError for a model that the engine refuses. */
export async function createNativeSession(
  place: Place,
  model: Model,
  options: OrtSessionOptions,
  provider?: Provider,
): Promise<NativeSession> {
  const { ort, memory } = place;
  const { signal } = options;
  signal?.throwIfAborted();
  const name = options.name ?? "session";
  checkOptions(name, options);
  const keep: ArrayBufferView[] = [];
  const native = createOptions(ort, name, options, keep, provider);
  const out = new BigUint64Array(1);
  const abort = (): void => ort.call(name, "SessionOptionsSetLoadCancellationFlag", native, true);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const bytes = model instanceof Uint8Array ? model : pathBytes(model.path);
    const [slot, length] =
      model instanceof Uint8Array
        ? (["CreateSessionFromArray", [model.byteLength]] as const)
        : (["CreateSession", []] as const);
    await memory.inTurn(() => ort.callAsync(name, slot, [ort.environment, bytes, ...length, native, out], keep));
    return new NativeSession(place, out[0]!, name, options.profile !== undefined);
  } catch (error) {
    ort.release("ReleaseSession", out[0]!);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
    ort.release("ReleaseSessionOptions", native);
  }
}
