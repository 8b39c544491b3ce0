/** A model's files → its weights on a device. */
import { bestDevice, DEFAULT_DEVICE } from "#platform";
import { CheckpointError, ConfigError } from "../errors.ts";
import type { TensorFile } from "../hub/tensor-file.ts";
import type { FlavaImageOptions } from "../image/index.ts";
import {
  type ConfigJson,
  compareWeights,
  differencesError,
  familyOfWeights,
  type Model,
  type NamedWeights,
  narrowedNote,
} from "../models/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import { type Device, type DeviceName, type DeviceOptionsOf, openDevice, State } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { fingerprint } from "./fingerprint.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { type OpenOptions, openModelFiles, openProbe, readDescriptions } from "./model-files.ts";
import { imageOptions } from "./preprocessor.ts";
import { type Probe, readProbe } from "./probe.ts";
import type { TextOptions } from "./processor.ts";
import { type LoadedTask, taskOf } from "./task.ts";

/** What numbers are computed in; "q8": products of 8-bit whole numbers. */
export type DtypeName = "fp32" | "fp16" | "bf16" | "q8";

/** How a model is opened. */
export interface LoadOptions extends OpenOptions, Pick<TextOptions, "maxLength" | "truncation"> {
  /** A device by name, or one that is open already. Default "cpu", in browsers "wasm"; "auto" takes the GPU there where there is one. */
  readonly device?: DeviceName | "auto" | Device | undefined;
  /**
   * Default "fp32". Weights of 16 bits are widened as they are read. "bf16" is computed by XLA and OpenVINO; elsewhere both halves are computed in
   * float32, which `onWarning` is told. "q8" is for processors: faster, a little off, and a result depends slightly on its batch.
   */
  readonly dtype?: DtypeName | undefined;
  /** Threads of one operator; all processors unless said. */
  readonly threads?: number | undefined;
  /** The most samples that go through the model at once; no result depends on it. Default 8. */
  readonly batchSize?: number | undefined;
  /** Side of the pictures in pixels, whole patches; position embeddings are interpolated. The model's own unless said. */
  readonly imageSize?: number | undefined;
  /** Turns pictures as their EXIF orientation asks, as browsers and Hugging Face's pipelines do. Default false, as the published evaluations. */
  readonly applyOrientation?: boolean | undefined;
}

/** A model with what it was opened from. */
export interface Opened {
  readonly loaded: LoadedModel;
  /** config.json, as it was read. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly image: FlavaImageOptions | undefined;
  readonly probe: Probe | undefined;
}

/** Opens the files, the device, and reads the weights onto it. Throws FileError, CheckpointError, ConfigError, EngineError. */
export async function openLoaded(idOrPath: string, options: LoadOptions): Promise<Opened> {
  const { signal, batchSize = 8, imageSize, onWarning } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize: expected a whole number from 1, got ${batchSize}`);
  const files = await openModelFiles(idOrPath, options);
  const { name } = files;
  const { config, preprocessor, tokenizer } = await readDescriptions(files);
  await using weights = await files.weights();
  await using probe = await openProbe(files);
  const { model, sizes, named } = modelOf(name, config, weights, onWarning);
  const task = config && taskOf(name, config);
  checkVocabulary(name, model, tokenizer);
  const image = model.pictures && imageOptions(name, preprocessor, model.pictures, imageSize);
  const device = await deviceOf(options);
  const state = new State(device);
  try {
    const weightsHash = await readWeights(named, neededParameters(model, task), state, signal);
    const loaded = {
      ...{ name, model, sizes, device, state, batchSize, weightsHash, tokenizer, task },
      arithmetic: arithmetic(device, options.dtype ?? "fp32", onWarning),
    };
    return { loaded, config: config ?? {}, image, probe: probe && (await readProbe(probe, signal)) };
  } catch (error) {
    state.dispose();
    throw error;
  }
}

/** The model of config.json, else of the shapes, with the file's tensors under our names. What their code base computes differently is switched on. */
function modelOf(
  name: string,
  config: ConfigJson | undefined,
  weights: TensorFile,
  onWarning: LoadOptions["onWarning"],
): { readonly model: Model; readonly sizes: unknown; readonly named: NamedWeights } {
  const { family, named } = familyOfWeights(weights, config);
  const narrowed = narrowedNote(named);
  if (narrowed !== undefined) onWarning?.(`${name}: ${narrowed}`);
  const switches = family.layouts[named.layout]!.switches as object | undefined;
  if (!config) {
    const inferred = family.infer(name, named.tensors, switches);
    for (const line of inferred.assumed) onWarning?.(`${name}: no config.json; ${line}`);
    return { model: family.of(inferred.config), sizes: inferred.config, named };
  }
  const read = family.fromConfig(config, { note: onWarning }) as object;
  const sizes = { ...read, ...(config.flava_options === undefined ? switches : {}) };
  return { model: family.of(sizes), sizes, named };
}

function checkVocabulary(name: string, { texts }: Model, tokenizer: TextTokenizer | undefined): void {
  if (tokenizer && texts && tokenizer.vocabSize > texts.vocabSize)
    throw new CheckpointError(
      `${name}: expected a tokenizer of at most ${texts.vocabSize} entries, as the model has, got ${tokenizer.vocabSize}`,
    );
}

const DTYPES: readonly DtypeName[] = ["fp32", "fp16", "bf16", "q8"];

/** How graphs are compiled for a dtype on a device; a device that has no such arithmetic computes in float32, and that is said. */
function arithmetic(device: Device, dtype: DtypeName, onWarning: LoadOptions["onWarning"]): LoadedModel["arithmetic"] {
  if (dtype === "q8") {
    if (device.dtypes?.includes("q8")) return { dtype };
    throw new ConfigError(`dtype: q8 needs the device cpu, cpu-js or wasm, got ${device.name}`);
  }
  if (dtype === "bf16" && (device.rounds || device.name.startsWith("xla"))) return { precision: {} };
  if (dtype !== "fp32")
    onWarning?.(`dtype ${dtype}: ${device.name} computes in float32, from the weights as they are stored`);
  return {};
}

async function deviceOf({ device = DEFAULT_DEVICE, threads, dtype = "fp32", onWarning }: LoadOptions): Promise<Device> {
  if (!DTYPES.includes(dtype)) throw new ConfigError(`dtype: expected ${DTYPES.join(", ")}, got "${dtype}"`);
  if (typeof device === "object") return device;
  const opened = await openDevice(
    device === "auto" ? await bestDevice() : device,
    (threads ? { threads } : {}) as DeviceOptionsOf["cpu"],
  );
  if (opened.remark) onWarning?.(opened.remark);
  return opened;
}

/** What a model is asked for in use; a codebook and the heads of masked patches are not. */
function neededParameters(model: Model, task: LoadedTask | undefined): Pick<ParamSpec, "name" | "shape" | "aliases">[] {
  const graphs = [
    model.image?.({ batch: 1 }),
    model.text?.({ batch: 1, textLength: 1 }),
    model.fusion?.({ batch: 1, textLength: 1 }),
    model.regionPair?.({ batch: 1, textLength: 1, regions: 2 }),
    model.words?.("text", 1),
    model.words?.("pair", 1),
    task && model.task?.(task.head, { batch: 1, textLength: 1 }),
  ];
  const scale = model.logitScale ? [{ name: model.logitScale.name, shape: [], aliases: [] }] : [];
  const specs = [...graphs.flatMap((each) => each?.params ?? []), ...scale];
  return [...new Map(specs.map((spec) => [spec.name, spec])).values()];
}

/** Tensor by tensor, so that the host holds one at a time. Returns their fingerprint. */
async function readWeights(
  file: NamedWeights,
  needed: ReturnType<typeof neededParameters>,
  state: State,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = fingerprint();
  const found = needed.flatMap((spec) => {
    const stored = [spec.name, ...(spec.aliases ?? [])].filter((name) => file.tensors.has(name));
    return stored.length === 0 ? [] : [{ ...spec, stored }];
  });
  const { misshapen } = compareWeights(found, file);
  const error = differencesError(file.name, { missing: [], unexpected: [], misshapen });
  if (error) throw error;
  if (found.length === 0)
    throw new CheckpointError(
      `${file.name}: expected weights of an encoder, got ${[...file.tensors.keys()].slice(0, 3).join(", ")}`,
    );
  for (const { name, stored } of found) {
    const [t, ...again] = await Promise.all(stored.map((one) => file.read(one, { signal })));
    checkTied(file.name, stored, [t!, ...again]);
    checkFinite(file.name, name, t!);
    hash.add(name, t!);
    state.write(name, t!);
  }
  return hash.text();
}

/** A tied parameter may be stored under each of its names: all of them say the same then. */
function checkTied(where: string, names: readonly string[], [first, ...others]: readonly Tensor[]): void {
  for (const [i, { data }] of others.entries())
    for (let at = 0; at < data.length; at++)
      if (data[at] !== first!.data[at] && !Number.isNaN(data[at]))
        throw new CheckpointError(
          `${where}: expected ${names[i + 1]} and ${names[0]} to be one tensor, got two that differ`,
        );
}

function checkFinite(where: string, name: string, { data }: Tensor): void {
  const numbers = data as Float32Array;
  let bad = 0;
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i]!)) bad++;
  if (bad > 0)
    throw new CheckpointError(
      `${where}: ${name}: expected finite numbers, got ${bad} of ${numbers.length} that are not`,
      "the training that made it has failed, or a number was too large for 16 bits; take an earlier checkpoint",
    );
}
