/** Opens the client of a loaded plugin, with the options that the plugin knows. */
import { stat } from "node:fs/promises";
import { Client } from "./client.ts";
import { type Pjrt, type Pointer, struct } from "./pjrt.ts";

/** Options of a client, as the plugin names them (`memory_fraction`, `cpu_device_count`, …). */
export type ClientOptions = Readonly<Record<string, string | number | boolean>>;

/** Float options; a whole number would be taken for an integer otherwise. */
const FLOATS: ReadonlySet<string> = new Set(["memory_fraction"]);

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
    const name = utf8(key);
    const [type, bits, count] = namedValue(key, value, hold);
    list.set([56n, 0n, hold(name), BigInt(name.length), type, bits, count], 7 * i);
  });
  const args = struct(88, { 16: hold(list), 24: entries.length });
  const pointer = (await pjrt.callAsync(`xla: ${pjrt.path}`, "createClient", args, keep))[8]!;
  return new Client(pjrt, pointer, `${await fileIdentity(pjrt.path)} ${JSON.stringify(options)}`);
}

function namedValue(
  key: string,
  value: string | number | boolean,
  hold: (array: ArrayBufferView) => Pointer,
): [type: bigint, bits: bigint, count: bigint] {
  if (typeof value === "string") {
    const text = utf8(value);
    return [0n, hold(text), BigInt(text.length)];
  }
  if (typeof value === "boolean") return [4n, BigInt(value), 1n];
  if (FLOATS.has(key)) return [3n, BigInt(new Uint32Array(Float32Array.of(value).buffer)[0]!), 1n];
  return [1n, BigInt(value), 1n];
}

/** The size and time of a plugin's file: another build of one version is another plugin. */
export async function fileIdentity(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return `${size} ${Math.round(mtimeMs)}`;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
