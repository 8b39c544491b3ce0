/**
 * The device `openvino`: ONNX Runtime with OpenVINO's provider, which multiplies in bfloat16 on processors that can. It orders nodes itself,
 * so nothing is updated in place under it: it makes gradients, and plain ONNX Runtime the update (`split.ts`).
 */
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { engineNamed, findInPackages, librariesOf } from "../../../engines/index.ts";
import { EngineError } from "../../../errors.ts";
import type { Device, Prepared, Task } from "../../device.ts";
import type { CompiledOptions, OpenVinoOptions } from "../../device-options.ts";
import type { Session, SessionOptions } from "../../session.ts";
import type { Engine, OrtSessionOptions } from "../engine.ts";
import { type Ort, openOrt } from "../native/ort.ts";
import { pluginProvider } from "../native/provider.ts";
import { nativeEngine } from "../native.ts";
import { ortDevice } from "../ort-device.ts";
import { createCompiled } from "./compiled.ts";
import { splitStep } from "./split.ts";
import { splitSession } from "./split-session.ts";

const NAME = "OpenVINOExecutionProvider";

type Precision = "fp32" | "bf16";

/** The path of the provider. Throws EngineError that lists where it was looked for. */
export async function findOpenVino(given?: string): Promise<string> {
  if (given !== undefined) return given;
  const files = librariesOf(engineNamed("openvino"));
  if (files.length === 0 || process.arch !== "x64")
    throw new EngineError(`openvino: expected Linux or Windows on x64, got ${process.platform}-${process.arch}`);
  const { path, folders } = await findInPackages(files);
  if (path !== undefined) return path;
  throw new EngineError(
    `openvino: no provider found: looked for ${files.join(", ")} in ${folders.join(", ")}`,
    "flava engine add openvino, or pass its path as `provider`",
  );
}

/** Whether the processor multiplies bfloat16, by its flags; undefined where they cannot be read. */
export function hasBfloat16(cpuinfo: string | undefined = readFlags()): boolean | undefined {
  return cpuinfo === undefined ? undefined : /\b(amx_bf16|avx512_bf16)\b/.test(cpuinfo);
}

function readFlags(): string | undefined {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return undefined;
  }
}

/** Opens it. Throws EngineError where the provider is missing or this ONNX Runtime cannot load it. */
export async function openOpenVino(given: OpenVinoOptions): Promise<Device> {
  const { library, provider, inference, compiled = {}, ...options } = given;
  const path = await findOpenVino(provider);
  const ort = await openOrt(library);
  const append = pluginProvider(ort, { name: NAME, path });
  const { size, mtimeMs } = await stat(path);
  const build = `${ort.library.version} ${size} ${Math.round(mtimeMs)}`;
  const threads = String(options.threads ?? availableParallelism());
  const front = (precision: Precision): Device => {
    const settings = { INFERENCE_PRECISION_HINT: HINTS[precision], INFERENCE_NUM_THREADS: threads };
    const engine = keepingEngine({ ort, append, build, settings, compiled });
    return ortDevice("openvino", engine, { ...options, dtypes: [], inPlace: false });
  };
  const fronts = { fp32: front("fp32"), bf16: front("bf16") };
  const back = ortDevice("openvino", nativeEngine(ort), options);
  const usual: Precision = inference ?? (hasBfloat16() ? "bf16" : "fp32");
  const precisionOf = ({ bfloat16 = false }: Pick<Task, "bfloat16">, { purpose }: SessionOptions): Precision =>
    bfloat16 ? "bf16" : purpose === "training" ? "fp32" : usual;
  return {
    ...back,
    description: `ONNX Runtime ${ort.library.version} with OpenVINO (inference in ${usual})`,
    dtypes: [],
    rounds: true,
    prepare: (task, session = {}) => prepareSplit(fronts[precisionOf(task, session)], back, task, session),
    prepareDynamic: (task, session = {}) => fronts[precisionOf(task, session)].prepareDynamic!(task, session),
  };
}

interface Keeping {
  readonly ort: Ort;
  readonly append: ReturnType<typeof pluginProvider>;
  /** Names ONNX Runtime's version and the provider's file. */
  readonly build: string;
  /** OpenVINO's own, of the processor. */
  readonly settings: Readonly<Record<string, string>>;
  readonly compiled: CompiledOptions | false;
}

/** ONNX Runtime under OpenVINO, what it has compiled kept on disk. */
function keepingEngine({ ort, append, build, settings, compiled }: Keeping): Engine {
  const engineWith = (folder: string | undefined): Engine =>
    nativeEngine(
      ort,
      append({ load_config: JSON.stringify({ CPU: { ...settings, ...(folder && { CACHE_DIR: folder }) } }) }),
    );
  const createSession: Engine["createSession"] = (model, options: OrtSessionOptions = {}) => {
    const create = (folder: string | undefined): Promise<Session> => engineWith(folder).createSession(model, options);
    if (!(model instanceof Uint8Array) || options.profile !== undefined) return create(undefined);
    const { signal: _, name = "session", ...others } = options;
    const besides = JSON.stringify([build, settings, { ...others, externalData: undefined }]);
    return createCompiled({ where: name, model, besides, create }, options.externalData ? false : compiled);
  };
  return { ...engineWith(undefined), createSession };
}

const HINTS: { readonly [P in Precision]: string } = { fp32: "f32", bf16: "bf16" };

/** A session whose gradients `front` makes and whose update `back`; `front` alone where there is no such update. */
export async function prepareSplit(
  front: Device,
  back: Device,
  task: Task,
  options: SessionOptions,
): Promise<Prepared> {
  const { updates = {}, ...rest } = task;
  const split = splitStep(task.graph, Object.keys(updates));
  const first = await front.prepare({ ...rest, graph: split.front }, options);
  if (!split.back) return first;
  const own = Object.fromEntries(Object.entries(updates).filter(([, out]) => Object.hasOwn(split.back!.outputs, out)));
  try {
    const { profile: _, ...plain } = options; // the profile is of what is slow
    const second = await back.prepare({ graph: split.back, updates: own }, plain);
    const session = splitSession({
      front: first.session,
      back: second.session,
      between: split.between,
      allocate: ({ dtype, shape }) => back.allocate(dtype, shape as number[]),
    });
    return { session, inPlace: second.inPlace };
  } catch (error) {
    first.session.dispose();
    throw error;
  }
}
