/**
 * ONNX Runtime as WebAssembly (onnxruntime-web), with or without the GPU behind WebGPU. A run on processors blocks its thread until it
 * is done: pages run it in a worker.
 */
import type { InferenceSession } from "onnxruntime-common";
import { EngineError } from "../../../errors.ts";
import type { Session } from "../../session.ts";
import { checkOptions, configEntries, LEVELS } from "../config.ts";
import type { Engine, Model, OrtSessionOptions } from "../engine.ts";
import { hostMemory } from "../host-memory.ts";
import { JsSession, type Memory, messageOf, type Ort } from "../js-session.ts";
import { type Gpu, openGpu } from "./gpu.ts";
import { gpuMemory } from "./gpu-memory.ts";

/** How the engine is loaded. */
export interface WebEngineOptions {
  /** Threads of one operator. More than one need a page that is cross-origin isolated; all processors there, else one. */
  readonly threads?: number | undefined;
  /** Where the engine's .wasm file lies, where a bundler has not put it beside its script: its address, or that of its folder with a slash at the end. */
  readonly wasmPaths?: string | undefined;
}

const INSTALL = "npm install onnxruntime-web";

/** Opens the engine on processors. Throws EngineError when onnxruntime-web is missing, or more threads are asked for than can be had. */
export async function openWasmEngine(options: WebEngineOptions = {}): Promise<Engine> {
  const ort = await load("wasm", async () => (await import("onnxruntime-web/wasm")) as unknown as Ort);
  configure("wasm", ort, options, "ort-wasm-simd-threaded.wasm");
  return engine(ort, { name: "ort-wasm", provider: "wasm", memory: hostMemory(ort) });
}

/** Opens the engine on the GPU. Throws EngineError where there is none, or onnxruntime-web is missing. */
export async function openWebGpuEngine(options: WebEngineOptions = {}): Promise<Engine> {
  const gpu = await openGpu();
  const ort = await load("webgpu", async () => (await import("onnxruntime-web/webgpu")) as unknown as Ort);
  configure("webgpu", ort, options, "ort-wasm-simd-threaded.asyncify.wasm");
  const { device } = gpu;
  return engine(ort, {
    name: "ort-webgpu",
    provider: { name: "webgpu", device, preferredLayout: "NCHW" },
    memory: gpuMemory(ort, device),
    gpu,
  });
}

async function load(device: string, importIt: () => Promise<Ort>): Promise<Ort> {
  try {
    return await importIt();
  } catch (cause) {
    throw new EngineError(`${device}: onnxruntime-web does not load here: ${messageOf(cause)}`, INSTALL, { cause });
  }
}

/** Whether threads of WebAssembly can be had: in a page that is isolated from others. In Node the engine does not find its threads' script. */
const canShare = (): boolean => (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;

const processors = (): number => globalThis.navigator?.hardwareConcurrency ?? 1;

/** The modules of the engine that are loaded, and how many threads each has: it cannot be changed later. */
const threadsOf = new Map<Ort, number>();

function configure(device: string, ort: Ort, { threads, wasmPaths }: WebEngineOptions, file: string): void {
  if (threads !== undefined) checkOptions(device, { threads });
  const most = canShare() ? processors() : 1;
  if (threads !== undefined && threads > 1 && !canShare())
    throw new EngineError(
      `${device}: expected 1 thread in Node and on a page that is not cross-origin isolated, got ${threads}`,
      "serve the page with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  const before = threadsOf.get(ort);
  if (before !== undefined && threads !== undefined && threads !== before)
    throw new EngineError(
      `${device}: expected ${before} threads, with which the engine is loaded already, got ${threads}`,
    );
  if (before !== undefined) return;
  const { wasm } = ort.env;
  wasm.numThreads = threads ?? most;
  threadsOf.set(ort, wasm.numThreads);
  ort.env.logLevel = "fatal";
  if (wasmPaths !== undefined) wasm.wasmPaths = { wasm: wasmPaths.endsWith("/") ? wasmPaths + file : wasmPaths };
}

interface Parts {
  readonly name: Engine["name"];
  readonly provider: InferenceSession.ExecutionProviderConfig;
  readonly memory: Memory;
  readonly gpu?: Gpu;
}

function engine(ort: Ort, { name, provider, memory, gpu }: Parts): Engine {
  // One call at a time: WebAssembly that waits for a GPU must not be entered a second time.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(async () => {
      gpu?.check();
      return gpu ? gpu.orLost(work()) : work();
    });
    turn = mine.catch(() => undefined);
    return mine;
  };
  return {
    name,
    version: ort.env.versions.web ?? ort.env.versions.common,
    createSession: (model, options = {}) =>
      inTurn(() => createSession({ ort, memory, inTurn }, provider, model, options)),
    allocate: (dtype, shape) => {
      gpu?.check();
      return memory.allocate(dtype, shape);
    },
    upload: (t) => {
      gpu?.check();
      return memory.upload(t);
    },
  };
}

async function createSession(
  parts: { readonly ort: Ort; readonly memory: Memory; readonly inTurn: <T>(work: () => Promise<T>) => Promise<T> },
  provider: InferenceSession.ExecutionProviderConfig,
  model: Model,
  options: OrtSessionOptions,
): Promise<Session> {
  const { name = "session", signal } = options;
  signal?.throwIfAborted();
  checkOptions(name, options);
  if (options.profile !== undefined)
    throw new EngineError(`${name}: this engine records no profile`, "leave out `profile`, or take the device cpu");
  const { externalData } = options;
  if (!(model instanceof Uint8Array)) throw new EngineError(`${name}: expected a model's bytes, got a path`);
  try {
    const session = await parts.ort.InferenceSession.create(model, {
      executionProviders: [provider],
      graphOptimizationLevel: LEVELS[options.optimization ?? "all"],
      enableCpuMemArena: options.arena !== "none",
      enableMemPattern: options.memoryPattern ?? false,
      logSeverityLevel: 4,
      extra: configEntries({ ...options, spin: false }),
      ...(externalData && { externalData: Object.entries(externalData).map(([path, data]) => ({ path, data })) }),
    });
    signal?.throwIfAborted();
    return new JsSession({ ...parts, session, name });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof EngineError) throw cause;
    throw new EngineError(`${name}: ${messageOf(cause)}`, helpFor(messageOf(cause)), { cause });
  }
}

const helpFor = (message: string): string | undefined =>
  /no available backend|wasm|fetch/i.test(message)
    ? "the engine's .wasm file must lie beside its script: copy it there from node_modules/onnxruntime-web/dist, or say where it lies by `wasmPaths`"
    : undefined;
