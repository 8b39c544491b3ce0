/** Execution providers of ONNX Runtime besides the plain one: what they add to a session's options. */
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { EngineError } from "../../../errors.ts";
import { wrongLibrary } from "../../wrong-library.ts";
import { type Ort, type Pointer, pathBytes } from "./ort.ts";

/** Adds a provider to the options of a session. `keep` collects arrays that must live until the session exists. */
export type Provider = (where: string, options: Pointer, keep: ArrayBufferView[]) => void;

/** An array of C strings: addresses; `keep` gets what they point at. */
export function cStrings(ort: Ort, texts: readonly string[], keep: ArrayBufferView[]): BigUint64Array {
  const bytes = texts.map((text) => new TextEncoder().encode(`${text}\0`));
  const addresses = BigUint64Array.from(bytes.length > 0 ? bytes.map((b) => ort.library.address(b)) : [0n]);
  keep.push(...bytes, addresses);
  return addresses;
}

/** A provider from a library of its own. */
export interface PluginProvider {
  /** Its name for itself. */
  readonly name: string;
  readonly path: string;
}

const registered = new WeakMap<Ort, Map<string, string>>();

/**
 * Registers the library of a provider with this ONNX Runtime, once, and finds its device for the processor.
 * Throws EngineError where the library does not load, is too new for this ONNX Runtime, or offers no processor.
 */
export function pluginProvider(
  ort: Ort,
  { name, path }: PluginProvider,
): (options: Readonly<Record<string, string>>) => Provider {
  const known = registered.get(ort) ?? new Map<string, string>();
  registered.set(ort, known);
  if (!known.has(name)) {
    register(ort, { name, path });
    known.set(name, path);
  }
  if (known.get(name) !== path)
    throw new EngineError(`${name}: expected ${known.get(name)}, which this process has loaded, got ${path}`);
  const device = processorOf(ort, name);
  return (options) => (where, pointer, keep) => {
    const devices = BigUint64Array.of(device);
    keep.push(devices);
    const keys = cStrings(ort, Object.keys(options), keep);
    const values = cStrings(ort, Object.values(options), keep);
    const count = Object.keys(options).length;
    ort.call(
      where,
      "SessionOptionsAppendExecutionProvider_V2",
      pointer,
      ort.environment,
      devices,
      1,
      keys,
      values,
      count,
    );
  };
}

function register(ort: Ort, { name, path }: PluginProvider): void {
  if (!existsSync(path))
    throw new EngineError(`${name}: there is no provider at ${path}`, "correct the option `provider`");
  try {
    ort.call(name, "RegisterExecutionProviderLibrary", ort.environment, name, pathBytes(path));
  } catch (cause) {
    throw new EngineError(
      `${name}: ${path} cannot be loaded as a provider: ${wrongLibrary(path) ?? (cause as Error).message}`,
      `check that it is for ${process.platform}-${process.arch} and ONNX Runtime ${ort.library.version}: flava engine add openvino`,
      { cause },
    );
  }
}

const PROCESSOR = 0;

function processorOf(ort: Ort, name: string): Pointer {
  const { fn } = ort.library;
  const [list, count] = [new BigUint64Array(1), new BigUint64Array(1)];
  ort.call(name, "GetEpDevices", ort.environment, list, count);
  const devices = ort.library.pointers(list[0]!, Number(count[0]));
  const ours = devices.filter((device) => fn.EpDevice_EpName(device) === name);
  const found = ours.find((device) => fn.HardwareDevice_Type(fn.EpDevice_Device(device)) === PROCESSOR);
  if (found !== undefined) return found;
  throw new EngineError(
    `${name}: expected a device for this processor (${cpus()[0]?.model.trim() ?? "unknown"}), got none: the provider refuses it`,
    "OpenVINO's provider takes Intel's processors only: use the device cpu",
  );
}
