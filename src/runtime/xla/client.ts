/** A PJRT client: the devices of one plugin in one process, buffers on them and compiled programs. */
import { EngineError } from "../../errors.ts";
import { byteSize, type DType, size, type Tensor } from "../../tensor/index.ts";
import { checkFits, fullMessage, MEMORY_HELP, type MemoryStats, type ProgramMemory } from "./memory.ts";
import { type Pjrt, PjrtError, type Pointer, RESOURCE_EXHAUSTED, struct, type Words } from "./pjrt.ts";

/** Element types of PJRT; a dtype without one cannot be on a device. */
const TYPES: Readonly<Record<DType, number>> = {
  bool: 1,
  uint8: 6,
  int32: 4,
  int64: 5,
  float16: 10,
  float32: 11,
  float64: 12,
  bfloat16: 13,
};

/** A loaded executable of PJRT. */
export interface Program {
  readonly pointer: Pointer;
  readonly outputs: number;
  /** Undefined where the plugin does not count. */
  readonly memory: ProgramMemory | undefined;
}

/** PJRT_HostBufferSemantics: how long the host array must stay as it is. */
const [DURING_CALL, UNTIL_DONE] = [0, 1];

/** Native memory must have an address even when a tensor is empty. */
const NOTHING = new Uint8Array(8);

/** A PJRT client and its devices. */
export class Client {
  readonly pjrt: Pjrt;
  /** "cpu", "cuda", "rocm", "tpu". */
  readonly platform: string;
  readonly devices: readonly Pointer[];
  /** What the first device calls itself: "NVIDIA H200". */
  readonly kind: string;
  /** Names the plugin, its build, its devices and its options: what a compiled program depends on besides its text. */
  readonly identity: string;
  readonly #pointer: Pointer;

  /** Whether its programs can be written to disk. */
  get canSerialize(): boolean {
    return this.pjrt.has("serialize") && this.pjrt.has("deserialize");
  }

  constructor(pjrt: Pjrt, pointer: Pointer, build: string) {
    this.pjrt = pjrt;
    this.#pointer = pointer;
    const name = pjrt.call("xla", "platformName", struct(40, { 16: pointer }));
    this.platform = pjrt.text(name[3]!, name[4]!).toLowerCase();
    const found = pjrt.call("xla", "devices", struct(40, { 16: pointer }));
    this.devices = [...pjrt.words(found[3]!, Number(found[4]))];
    if (this.devices.length === 0)
      throw new EngineError(
        `xla: ${pjrt.path}: expected a device of ${this.platform}, got none`,
        "flava doctor says more",
      );
    const described = pjrt.call("xla", "deviceDescription", struct(32, { 16: this.devices[0]! }))[3]!;
    const kind = pjrt.call("xla", "deviceKind", struct(40, { 16: described }));
    this.kind = pjrt.text(kind[3]!, kind[4]!);
    const version = pjrt.call("xla", "platformVersion", struct(40, { 16: pointer }));
    const driver = pjrt.text(version[3]!, version[4]!);
    this.identity = JSON.stringify([
      build,
      pjrt.version,
      pjrt.attributes,
      this.platform,
      driver,
      this.kind,
      this.devices.length,
    ]);
  }

  /** Compiles StableHLO text for so many replicas of one partition each, on another thread. Throws PjrtError. */
  async compile(where: string, text: string, replicas: number): Promise<Program> {
    const { pjrt } = this;
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > this.devices.length)
      throw new EngineError(
        `${where}: expected 1 to ${this.devices.length} replicas (the devices of ${this.platform}), got ${replicas}`,
        "open the device with more `devices`",
      );
    const [code, format] = [encode(text), encode("mlir")];
    const program = struct(48, {
      16: pjrt.address(code),
      24: code.length,
      32: pjrt.address(format),
      40: format.length,
    });
    // CompileOptionsProto { executable_build_options (3): { num_replicas (4), num_partitions (5): 1 } }
    const options = new Uint8Array([0x1a, 0x04, 0x20, replicas, 0x28, 0x01]);
    const [at, bytes] = [pjrt.address(program), pjrt.address(options)];
    const args = struct(56, { 16: this.#pointer, 24: at, 32: bytes, 40: options.length });
    const made = await this.#explained(where, pjrt.callAsync(where, "compile", args, [code, format, program, options]));
    return this.#program(where, made[6]!);
  }

  /** What is known of a program that was compiled or loaded. Throws EngineError where it needs more memory than there is. */
  #program(where: string, pointer: Pointer): Program {
    try {
      const [outputs, memory] = this.#withInner(where, pointer, (inner) => [
        Number(this.pjrt.call(where, "numOutputs", struct(32, { 16: inner }))[3]),
        this.#programMemory(where, inner),
      ]);
      if (memory) checkFits(where, memory, this.platform, this.memory());
      return { pointer, outputs, memory };
    } catch (error) {
      this.release({ pointer });
      throw error;
    }
  }

  #withInner<T>(where: string, pointer: Pointer, work: (inner: Pointer) => T): T {
    const inner = this.pjrt.call(where, "getExecutable", struct(32, { 16: pointer }))[3]!;
    try {
      return work(inner);
    } finally {
      this.pjrt.call(where, "executableDestroy", struct(24, { 16: inner }));
    }
  }

  /** PJRT_Executable_GetCompiledMemoryStats: code @24, arguments @32, outputs @40, of these in arguments @48, temporary @56. */
  #programMemory(where: string, inner: Pointer): ProgramMemory | undefined {
    if (!this.pjrt.has("programMemory")) return undefined;
    try {
      const found = this.pjrt.call(where, "programMemory", struct(120, { 16: inner }));
      const [inputs, outputs, shared, temporary] = [...found.slice(4, 8)].map((n) => Number(BigInt.asIntN(64, n)));
      return { inputs: inputs!, outputs: outputs!, shared: shared!, temporary: temporary! };
    } catch (error) {
      if (error instanceof PjrtError) return undefined; // it does not count
      throw error;
    }
  }

  /** A program as bytes, which this plugin on this kind of device reads again. Throws PjrtError where it cannot. */
  serialize(where: string, { pointer }: Program): Uint8Array {
    const { pjrt } = this;
    return this.#withInner(where, pointer, (inner) => {
      // bytes @24, length @32, what holds them @40, what frees that @48
      const args = pjrt.call(where, "serialize", struct(56, { 16: inner }));
      const copy = pjrt.bytes(args[3]!, Number(args[4]));
      if (args[6]) pjrt.callPointer(args[6], args[5]!);
      return copy;
    });
  }

  /** A program of `serialize`, ready to run. Throws PjrtError. */
  async deserialize(where: string, bytes: Uint8Array): Promise<Program> {
    const { pjrt } = this;
    const args = struct(64, { 16: this.#pointer, 24: pjrt.address(bytes), 32: bytes.length });
    const made = await this.#explained(where, pjrt.callAsync(where, "deserialize", args, bytes));
    return this.#program(where, made[5]!);
  }

  /** A full memory, in words that say what was asked for, what there is, and what to lower. */
  async #explained<T>(where: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#explain(where, error);
    }
  }

  #explain(where: string, error: unknown): unknown {
    if (!(error instanceof PjrtError) || error.status !== RESOURCE_EXHAUSTED) return error;
    return new PjrtError(where, error.status, fullMessage(error.said, this.platform, this.memory()), MEMORY_HELP);
  }

  release(program: Pick<Program, "pointer">): void {
    this.pjrt.call("xla", "destroyLoaded", struct(24, { 16: program.pointer }));
  }

  /**
   * Copies a host tensor to a device; the buffer may be used at once. With `sent`, the array is read in the background, until
   * the promise that `sent` gets settles; without, it has been read on return. Throws PjrtError.
   */
  upload(where: string, t: Tensor, device = 0, sent?: (done: Promise<void>) => void): Pointer {
    const { pjrt } = this;
    const shape = BigInt64Array.from(t.shape, BigInt);
    const data = t.data.byteLength > 0 ? t.data : NOTHING;
    const args = struct(120, {
      16: this.#pointer,
      24: pjrt.address(data),
      32: TYPES[t.dtype],
      40: pjrt.address(shape),
      48: shape.length,
      72: sent ? UNTIL_DONE : DURING_CALL,
      80: this.devices[device]!,
    });
    try {
      pjrt.call(where, "fromHost", args, [data, shape]);
    } catch (error) {
      throw this.#explain(where, error);
    }
    if (sent) sent(pjrt.settle(where, args[13], data));
    else pjrt.call(where, "eventDestroy", struct(24, { 16: args[13]! }));
    return args[14]!;
  }

  /** Copies a buffer to a host array of its dtype, row-major. Throws PjrtError, also that of the run that makes it. */
  download(where: string, pointer: Pointer, into: Tensor): Promise<void> {
    const { pjrt } = this;
    if (into.data.byteLength === 0) return Promise.resolve();
    const order = BigInt64Array.from(into.shape, (_, i) => BigInt(into.shape.length - 1 - i));
    // PJRT_Buffer_MemoryLayout: tiled (size 56, minor_to_major @32, count @40), type @72: 0 is tiled
    const layout = struct(80, { 16: 56, 32: pjrt.address(order), 40: order.length });
    const bytes = size(into.shape) * byteSize(into.dtype);
    const at = pjrt.address(into.data);
    const args = struct(56, { 16: pointer, 24: pjrt.address(layout), 32: at, 40: bytes });
    pjrt.call(where, "toHost", args, [order, layout]);
    return pjrt.settle(where, args[6], into.data);
  }

  free(pointer: Pointer): void {
    this.pjrt.call("xla", "bufferDestroy", struct(24, { 16: pointer }));
  }

  isDeleted(pointer: Pointer): boolean {
    return (this.pjrt.call("xla", "isDeleted", struct(25, { 16: pointer }))[3]! & 255n) === 1n;
  }

  /**
   * Runs a program: a list of buffers and of the indices that must not be donated, for each replica alike. Resolves, when
   * all replicas have ended, to a list of result buffers a replica. Throws PjrtError; donated buffers are then gone.
   */
  async execute(
    where: string,
    { pointer, outputs }: Program,
    lists: readonly (readonly Pointer[])[],
    kept: readonly number[] = [],
  ): Promise<Pointer[][]> {
    const { pjrt } = this;
    const inputs = lists.map((list) => BigUint64Array.from(list.length ? list : [0n]));
    const results = lists.map(() => new BigUint64Array(Math.max(1, outputs)));
    const [ins, outs] = [inputs, results].map((all) => BigUint64Array.from(all, (list) => pjrt.address(list)));
    const events = new BigUint64Array(lists.length);
    const fixed = BigInt64Array.from(kept.length ? kept : [0], BigInt);
    const options = struct(144, kept.length ? { 56: pjrt.address(fixed), 64: kept.length } : {});
    const args = struct(80, {
      16: pointer,
      24: pjrt.address(options),
      32: pjrt.address(ins!),
      40: lists.length,
      48: lists[0]!.length,
      56: pjrt.address(outs!),
      64: pjrt.address(events),
    });
    const held = [inputs, results, ins, outs, events, fixed, options];
    await this.#explained(where, pjrt.callAsync(where, "execute", args, held));
    const buffers = results.map((list) => [...list].slice(0, outputs));
    const ends = await Promise.allSettled([...events].map((event) => pjrt.settle(where, event)));
    const failed = ends.find((end) => end.status === "rejected");
    if (!failed) return buffers;
    for (const buffer of buffers.flat()) this.free(buffer);
    throw this.#explain(where, failed.reason);
  }

  /** Undefined where the plugin does not count. */
  memory(device = 0): MemoryStats | undefined {
    let stats: Words;
    try {
      stats = this.pjrt.call("xla", "memoryStats", struct(256, { 16: this.devices[device]! }));
    } catch {
      return undefined;
    }
    const optional = (word: number): number | undefined =>
      (stats[word + 1]! & 255n) === 1n ? Number(stats[word]) : undefined;
    return { inUse: Number(stats[3]), peak: optional(4), limit: optional(10) };
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
