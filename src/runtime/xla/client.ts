/** A PJRT client: the devices of one plugin in one process, buffers on them and compiled programs. */
import { EngineError } from "../../errors.ts";
import { byteSize, type DType, size, type Tensor } from "../../tensor/index.ts";
import { type Pjrt, type Pointer, struct, type Words } from "./pjrt.ts";

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

/** Options of a client, as the plugin names them (`memory_fraction`, `cpu_device_count`, …). */
export type ClientOptions = Readonly<Record<string, string | number | boolean>>;

/** Float options; a whole number would be taken for an integer otherwise. */
const FLOATS: ReadonlySet<string> = new Set(["memory_fraction"]);

/** Bytes of device memory. */
export interface MemoryStats {
  readonly inUse: number;
  readonly peak: number | undefined;
  readonly limit: number | undefined;
}

/** A loaded executable of PJRT. */
export interface Program {
  readonly pointer: Pointer;
  readonly outputs: number;
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
  readonly #pointer: Pointer;

  constructor(pjrt: Pjrt, pointer: Pointer) {
    this.pjrt = pjrt;
    this.#pointer = pointer;
    const name = pjrt.call("xla", "platformName", struct(40, { 16: pointer }));
    this.platform = pjrt.text(name[3]!, name[4]!).toLowerCase();
    const found = pjrt.call("xla", "devices", struct(40, { 16: pointer }));
    this.devices = [...pjrt.words(found[3]!, Number(found[4]))];
    const described = pjrt.call("xla", "deviceDescription", struct(32, { 16: this.devices[0]! }))[3]!;
    const kind = pjrt.call("xla", "deviceKind", struct(40, { 16: described }));
    this.kind = pjrt.text(kind[3]!, kind[4]!);
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
    const pointer = (await pjrt.callAsync(where, "compile", args, [code, format, program, options]))[6]!;
    const inner = pjrt.call(where, "getExecutable", struct(32, { 16: pointer }))[3]!;
    const outputs = Number(pjrt.call(where, "numOutputs", struct(32, { 16: inner }))[3]);
    pjrt.call(where, "executableDestroy", struct(24, { 16: inner }));
    return { pointer, outputs };
  }

  release(program: Program): void {
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
    pjrt.call(where, "fromHost", args, [data, shape]);
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
    await pjrt.callAsync(where, "execute", args, [inputs, results, ins, outs, events, fixed, options]);
    const buffers = results.map((list) => [...list].slice(0, outputs));
    const ends = await Promise.allSettled([...events].map((event) => pjrt.settle(where, event)));
    const failed = ends.find((end) => end.status === "rejected");
    if (!failed) return buffers;
    for (const buffer of buffers.flat()) this.free(buffer);
    throw failed.reason;
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

/** Makes a client. Throws PjrtError, for an option that the plugin does not know or a device that is not there. */
export async function createClient(pjrt: Pjrt, options: ClientOptions): Promise<Client> {
  const entries = Object.entries(options);
  const keep: ArrayBufferView[] = [];
  const hold = (array: ArrayBufferView): Pointer => {
    keep.push(array);
    return pjrt.address(array);
  };
  // PJRT_NamedValue, 56 bytes: name @16, its length @24, type @32 (0 string, 1 int64, 3 float, 4 bool), value @40, count @48
  const list = new BigUint64Array(Math.max(1, 7 * entries.length));
  entries.forEach(([key, value], i) => {
    const name = encode(key);
    const [type, bits, count] = namedValue(key, value, hold);
    list.set([56n, 0n, hold(name), BigInt(name.length), type, bits, count], 7 * i);
  });
  const args = struct(88, { 16: hold(list), 24: entries.length });
  return new Client(pjrt, (await pjrt.callAsync(`xla: ${pjrt.path}`, "createClient", args, keep))[8]!);
}

function namedValue(
  key: string,
  value: string | number | boolean,
  hold: (array: ArrayBufferView) => Pointer,
): [type: bigint, bits: bigint, count: bigint] {
  if (typeof value === "string") {
    const text = encode(value);
    return [0n, hold(text), BigInt(text.length)];
  }
  if (typeof value === "boolean") return [4n, BigInt(value), 1n];
  if (FLOATS.has(key)) return [3n, BigInt(new Uint32Array(Float32Array.of(value).buffer)[0]!), 1n];
  return [1n, BigInt(value), 1n];
}
