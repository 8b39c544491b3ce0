/** Devices of XLA: any PJRT plugin, for processors, GPUs and TPUs. */
import { EngineError } from "../../errors.ts";
import { toStableHlo } from "../../lower/stablehlo/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Device, Task } from "../device.ts";
import type { CompiledOptions, XlaOptions } from "../device-options.ts";
import type { SessionOptions } from "../session.ts";
import { XlaBuffer } from "./buffer.ts";
import type { Client } from "./client.ts";
import { compileCached, type Source } from "./compiled.ts";
import { type ClientOptions, createClient } from "./create-client.ts";
import { type Found, findPlugin, type Platform } from "./find.ts";
import type { MemoryStats } from "./memory.ts";
import { loadPjrt } from "./pjrt.ts";
import { XlaSession } from "./session.ts";
import { tryPlugin } from "./trial.ts";

/** A device of XLA, with its client for what only XLA offers. */
export interface XlaDevice extends Device {
  readonly client: Client;
  memory(): MemoryStats | undefined;
  /** Compiles StableHLO, or takes what was compiled before from disk. Throws PjrtError. */
  compile(source: Source): ReturnType<Client["compile"]>;
}

type Options = (options: XlaOptions) => ClientOptions;

const gpu: Options = ({ memoryFraction = 0.9, preallocate = false, allocator }) => ({
  memory_fraction: memoryFraction,
  preallocate,
  ...(allocator ? { allocator } : {}),
});

/** The options each plugin gets: a plugin fails on one that it does not know. */
const CLIENT_OPTIONS: Readonly<Record<Platform, Options>> = {
  cpu: ({ devices = 1 }) => ({ cpu_device_count: devices }),
  cuda: gpu,
  rocm: gpu,
  tpu: () => ({}),
};

/** A plugin reads this at its first load; what the user set stays. */
function setFlags({ cudaFolder }: Found): void {
  const flags = process.env.XLA_FLAGS ?? "";
  if (cudaFolder && !flags.includes("xla_gpu_cuda_data_dir"))
    process.env.XLA_FLAGS = `${flags} --xla_gpu_cuda_data_dir=${cudaFolder}`.trim();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2"; // errors only
}

/** A client, shared by all devices that ask for the same: a second one could not have the memory of the first. */
const clients = new Map<string, Promise<Client>>();

/** The client of a platform: one per plugin and set of options, kept until the process ends. Throws EngineError. */
export async function openClient(platform: Platform, options: XlaOptions = {}): Promise<Client> {
  const found = await findPlugin(platform, options);
  const clientOptions = CLIENT_OPTIONS[platform](options);
  const key = JSON.stringify([found.path, clientOptions]);
  const client = clients.get(key) ?? start(found, clientOptions, options);
  clients.set(key, client);
  client.catch(() => clients.delete(key));
  return client;
}

async function start(found: Found, options: ClientOptions, { trial = true, compiled }: XlaOptions): Promise<Client> {
  setFlags(found);
  if (trial) await tryPlugin({ found, options, folder: compiled === false ? undefined : compiled?.folder });
  return createClient(await loadPjrt(found.path, found.needs), options);
}

/**
 * Opens the device `xla:cpu`, `xla:cuda`, `xla:rocm` or `xla:tpu`. Throws EngineError when there is no plugin, it is too old,
 * it is for another platform, or it finds no device.
 */
export async function openXla(platform: Platform, options: XlaOptions = {}): Promise<XlaDevice> {
  const { compiled = {} } = options;
  const client = await openClient(platform, options);
  if (client.platform !== platform)
    throw new EngineError(
      `xla:${platform}: the plugin at ${client.pjrt.path} is for ${client.platform}`,
      `open xla:${client.platform}, or correct the option \`library\``,
    );
  return {
    name: `xla:${platform}`,
    description: `XLA through PJRT ${client.pjrt.version.join(".")} on ${client.devices.length} × ${client.kind}`,
    client,
    memory: () => client.memory(),
    compile: (source) => compileCached(client, source, compiled),
    prepare: (task, session) => prepare(client, compiled, task, session),
    allocate: (dtype, shape) => new XlaBuffer(client, dtype, shape),
    upload: (t) => uploaded(client, t),
  };
}

function uploaded(client: Client, t: Tensor): XlaBuffer {
  const buffer = new XlaBuffer(client, t.dtype, t.shape);
  buffer.write(t);
  return buffer;
}

/** Every update may be given its input's own buffer: XLA sees to it that nobody reads what has been overwritten. */
async function prepare(
  client: Client,
  compiled: CompiledOptions | false,
  { graph, weights = {}, updates = {}, bfloat16 = false }: Task,
  options: SessionOptions = {},
) {
  const { signal, profile } = options;
  if (profile !== undefined)
    throw new EngineError(`${graph.name}: this engine records no profile`, "XLA_FLAGS=--xla_dump_to=FOLDER tells more");
  const aliases = Object.fromEntries(Object.entries(updates).filter(([input]) => Object.hasOwn(graph.inputs, input)));
  const lowered = toStableHlo(graph, { aliases, roundProducts: client.platform !== "cpu", exactProducts: !bfloat16 });
  if (lowered.workers !== 1)
    throw new EngineError(
      `${graph.name}: its collectives are between ${lowered.workers} workers, and a session is one`,
      "run it on replicas (createReplicas)",
    );
  signal?.throwIfAborted();
  const program = await compileCached(client, { where: graph.name, text: lowered.text, replicas: 1 }, compiled);
  const own = Object.fromEntries(Object.entries(weights).map(([name, t]) => [name, uploaded(client, t)]));
  const session = new XlaSession(graph.name, { client, program, lowered, aliases, weights: own });
  return { session, inPlace: new Set(Object.keys(updates)) };
}
