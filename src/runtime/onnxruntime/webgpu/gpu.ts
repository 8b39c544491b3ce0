/**
 * The GPU behind ONNX Runtime's WebGPU provider: one for the process, called by one at a time, since neither the provider nor Dawn below
 * it lets two threads in. Some of what goes wrong on it is logged and not returned, so the log is looked at after each turn.
 */
import { EngineError } from "../../../errors.ts";
import { graph, input } from "../../../graph/index.ts";
import { toOnnx } from "../../../lower/onnx/index.ts";
import type { DType, Shape } from "../../../tensor/index.ts";
import { processMemory } from "../native/memory.ts";
import { elementType, type Ort, type Pointer } from "../native/ort.ts";
import { cStrings, type Provider } from "../native/provider.ts";
import { createNativeSession, type NativeSession } from "../native/session.ts";
import { type Adapter, vulkanAdapters } from "./adapters.ts";
import { checkLog, type Turns, takeTurns } from "./turns.ts";

/** An open GPU. What is not of `Turns` is to be called inside a turn. */
export interface Gpu extends Turns {
  readonly ort: Ort;
  readonly provider: Provider;
  /** Memory with undefined content. */
  allocate(dtype: DType, shape: Shape): Pointer;
  /** `words` are the tensor's bytes. */
  upload(to: Pointer, words: Int32Array): Promise<void>;
  download(from: Pointer, words: Int32Array): Promise<void>;
}

const WHERE = "webgpu";
const [DEVICE_ALLOCATOR, DEFAULT_MEMORY] = [0, 0] as const;
/** Copies are of whole words, whatever they mean. */
const WORD = elementType("int32");

/** In the other layout, NHWC, ONNX Runtime 1.30 convolves 6 or 9 channels to a multiple of 4 wrongly, in silence. */
const OPTIONS: Readonly<Record<string, string>> = { preferredLayout: "NCHW" };

const opened = new WeakMap<Ort, Promise<Gpu>>();

/** Opens it, once for a library. Throws EngineError where the library has no WebGPU, or there is no GPU. */
export function openGpu(ort: Ort): Promise<Gpu> {
  const known = opened.get(ort);
  if (known) return known;
  const gpu = open(ort);
  opened.set(ort, gpu);
  gpu.catch(() => opened.delete(ort));
  return gpu;
}

async function open(ort: Ort): Promise<Gpu> {
  checkProvider(ort);
  ort.keepErrors();
  const turns = takeTurns(ort);
  const provider: Provider = (where, options, keep) => {
    const [keys, values] = [Object.keys(OPTIONS), Object.values(OPTIONS)].map((texts) => cStrings(ort, texts, keep));
    ort.call(where, "SessionOptionsAppendExecutionProvider", options, "WebGPU", keys!, values!, keys!.length);
  };
  const copy = await openCopy(ort, turns, provider);
  const place = ort.get(WHERE, "CreateMemoryInfo", "WebGPU_Buffer", DEVICE_ALLOCATOR, 0, DEFAULT_MEMORY);
  const allocator = ort.get(WHERE, "CreateAllocator", copy.pointer, place);
  const allocate: Gpu["allocate"] = (dtype, shape) => {
    const where = `${WHERE}: memory for ${dtype} (${shape.join(", ")})`;
    const type = elementType(dtype);
    const value = ort.get(where, "CreateTensorAsOrtValue", allocator, ort.lengths(shape), shape.length, type);
    try {
      checkLog(ort, where);
      return value;
    } catch (error) {
      ort.release("ReleaseValue", value);
      throw error;
    }
  };
  return { ort, provider, ...turns, allocate, ...transfers(ort, copy, place) };
}

/** Throws EngineError unless the library was built with the provider. */
function checkProvider(ort: Ort): void {
  const [list, count] = [new BigUint64Array(1), new Int32Array(1)];
  ort.call(WHERE, "GetAvailableProviders", list, count);
  const names = ort.library.pointers(list[0]!, count[0]!).map((name) => ort.library.string(name));
  ort.call(WHERE, "ReleaseAvailableProviders", list[0]!, count[0]!);
  if (!names.includes("WebGpuExecutionProvider"))
    throw new EngineError(
      `${WHERE}: expected a library of ONNX Runtime with WebGPU, got ${ort.library.version} with ${names.join(", ")}`,
      "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node, whose library has it",
    );
}

/** The session that copies: it also holds the GPU for as long as the process lives. */
async function openCopy(ort: Ort, turns: Turns, provider: Provider): Promise<NativeSession> {
  const trace = ({ words }: Readonly<Record<string, number>>) =>
    graph("copy", { to: input("from", [words!], "int32") });
  const { model } = toOnnx({ name: "copy", axes: { words: {} }, trace });
  const memory = { ...processMemory(ort), ...turns };
  try {
    return await createNativeSession({ ort, memory }, model, { name: WHERE, threads: 1 }, provider);
  } catch (cause) {
    if (!(cause instanceof EngineError) || !/WebGPU adapter/.test(cause.message)) throw cause;
    const what = process.platform === "linux" ? `, ${whyNone(await vulkanAdapters())}` : "";
    throw new EngineError(
      `${WHERE}: expected a GPU, got none${what}`,
      "install the GPU's driver and, on Linux, Vulkan's loader (apt-get install libvulkan1); or use the device cpu",
      { cause },
    );
  }
}

function whyNone(adapters: readonly Adapter[] | undefined): string {
  if (!adapters) return "as there is no libvulkan.so.1, or no driver that it finds";
  if (adapters.length === 0) return "as Vulkan's drivers know of none";
  return `as WebGPU refuses ${adapters.map(({ name }) => name).join(" and ")}`;
}

/** Copies between memory of the process and of the GPU: runs of a graph that is nothing. */
function transfers(ort: Ort, copy: NativeSession, place: Pointer): Pick<Gpu, "upload" | "download"> {
  const wrap = (at: Pointer, data: Pointer | Int32Array, words: number): Pointer =>
    ort.get(WHERE, "CreateTensorWithDataAsOrtValue", at, data, 4 * words, ort.lengths([words]), 1, WORD);
  const flat = (value: Pointer, words: number): Pointer =>
    wrap(place, ort.get(WHERE, "GetTensorMutableData", value), words);
  const run = async (from: Pointer, to: Pointer, keep: Int32Array): Promise<void> => {
    try {
      await copy.runValues({ from }, { to }, keep);
    } finally {
      ort.release("ReleaseValue", from);
      ort.release("ReleaseValue", to);
    }
  };
  return {
    upload: (to, words) => run(wrap(ort.cpu, words, words.length), flat(to, words.length), words),
    download: (from, words) => run(flat(from, words.length), wrap(ort.cpu, words, words.length), words),
  };
}
