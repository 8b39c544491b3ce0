/** Checkpoints of torch as bytes, made piece by piece: honest ones and forged ones. Laid out as torch.save lays them out. */
import { crc32 } from "node:zlib";
import type { Tensor } from "../../src/tensor/index.ts";

/** A piece of a pickle. */
export type Piece = readonly number[];

const le = (n: number, width: number): number[] =>
  Array.from({ length: width }, (_, i) => Math.floor(n / 256 ** i) % 256);
const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

/** The opcodes that torch's checkpoints use, as functions. */
export const py = {
  none: [0x4e] as Piece,
  bool: (value: boolean): Piece => [value ? 0x88 : 0x89],
  int: (n: number): Piece =>
    n >= 0 && n < 256
      ? [0x4b, n]
      : n >= 0 && n < 65536
        ? [0x4d, ...le(n, 2)]
        : n < 2 ** 31
          ? [0x4a, ...le(n, 4)]
          : [0x8a, 8, ...le(n, 8)],
  float: (x: number): Piece => [0x47, ...new Uint8Array(new Float64Array([x]).buffer).reverse()],
  str: (text: string): Piece => [0x58, ...le(ascii(text).length, 4), ...ascii(text)],
  global: (module: string, name: string): Piece => [0x63, ...ascii(`${module}\n${name}\n`)],
  stackGlobal: (module: string, name: string): Piece => [...py.str(module), ...py.str(name), 0x93],
  tuple: (...items: Piece[]): Piece => [0x28, ...items.flat(), 0x74],
  list: (...items: Piece[]): Piece => [0x5d, 0x28, ...items.flat(), 0x65],
  dict: (...pairs: (readonly [Piece, Piece])[]): Piece => [0x7d, 0x28, ...pairs.flat(2), 0x75],
  reduce: (f: Piece, args: Piece): Piece => [...f, ...args, 0x52],
  newobj: (cls: Piece): Piece => [...cls, 0x29, 0x81],
  build: (object: Piece, state: Piece): Piece => [...object, ...state, 0x62],
  orderedDict: (...pairs: (readonly [Piece, Piece])[]): Piece => [
    ...py.reduce(py.global("collections", "OrderedDict"), py.tuple()),
    0x28,
    ...pairs.flat(2),
    0x75,
  ],
  persistent: (id: Piece): Piece => [...id, 0x51],
};

/** A whole pickle. */
export const pickle = (value: Piece, protocol = 2): Uint8Array => Uint8Array.from([0x80, protocol, ...value, 0x2e]);

/** A tensor of a checkpoint. */
export interface TorchTensor {
  /** "Float" for torch.FloatStorage. */
  readonly type: string;
  readonly shape: readonly number[];
  /** Name of its storage. */
  readonly key: string;
  /** Elements of the storage. */
  readonly length: number;
  readonly offset?: number;
  readonly strides?: readonly number[];
}

const rowMajor = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((n, d) => n * d, 1));

export const storage = ({ type, key, length }: Pick<TorchTensor, "type" | "key" | "length">): Piece =>
  py.persistent(
    py.tuple(py.str("storage"), py.global("torch", `${type}Storage`), py.str(key), py.str("cpu"), py.int(length)),
  );

export const torchTensor = (t: TorchTensor): Piece =>
  py.reduce(
    py.global("torch._utils", "_rebuild_tensor_v2"),
    py.tuple(
      storage(t),
      py.int(t.offset ?? 0),
      py.tuple(...t.shape.map(py.int)),
      py.tuple(...(t.strides ?? rowMajor(t.shape)).map(py.int)),
      py.bool(false),
      py.orderedDict(),
    ),
  );

export const stateDict = (tensors: Readonly<Record<string, TorchTensor>>): Piece =>
  py.orderedDict(...Object.entries(tensors).map(([name, t]) => [py.str(name), torchTensor(t)] as const));

/** An entry of a zip archive. What is said besides name and data is written instead of the truth. */
export interface ZipPart {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly size?: number;
  readonly stored?: number;
  readonly localName?: string;
  readonly start?: number;
  readonly flags?: number;
}

/** Bytes before data, so that it starts at a multiple of 64, as torch aligns it. */
const padding = (at: number): number[] => {
  const free = (64 - ((at + 4) % 64)) % 64;
  return [...ascii("FB"), ...le(free, 2), ...new Array<number>(free).fill(0x5a)];
};

/** An archive, entry by entry, so that a large one needs no memory; with `zip64`, sizes and places are where 64 bits hold them. */
export async function* zipChunks(
  parts: Iterable<ZipPart> | AsyncIterable<ZipPart>,
  { zip64 = false }: { zip64?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  const table: number[][] = [];
  let at = 0;
  for await (const part of parts) {
    const { name, data, method = 0, size = data.length, stored = data.length, flags = 0 } = part;
    const start = part.start ?? at;
    const local = ascii(part.localName ?? name);
    const extra = padding(at + 30 + local.length);
    const sums = [...le(crc32(data), 4), ...le(stored, 4), ...le(size, 4)];
    const head = [
      0x50,
      0x4b,
      3,
      4,
      20,
      0,
      ...le(flags, 2),
      ...le(method, 2),
      0,
      0,
      0,
      0,
      ...sums,
      ...le(local.length, 2),
      ...le(extra.length, 2),
    ];
    yield Uint8Array.from([...head, ...local, ...extra]);
    yield data;
    const wide = zip64 ? [1, 0, 24, 0, ...le(size, 8), ...le(stored, 8), ...le(start, 8)] : [];
    const numbers = zip64 ? le(0xffffffff, 4) : undefined;
    table.push([
      ...[0x50, 0x4b, 1, 2, 20, 0, 20, 0, ...le(flags, 2), ...le(method, 2), 0, 0, 0, 0, ...le(crc32(data), 4)],
      ...(numbers ?? le(stored, 4)),
      ...(numbers ?? le(size, 4)),
      ...le(ascii(name).length, 2),
      ...le(wide.length, 2),
      ...new Array<number>(10).fill(0),
      ...(numbers ?? le(start, 4)),
      ...ascii(name),
      ...wide,
    ]);
    at += head.length + local.length + extra.length + data.length;
  }
  yield Uint8Array.from([...table.flat(), ...ending(table, at, zip64)]);
}

function ending(table: number[][], start: number, zip64: boolean): number[] {
  const size = table.reduce((n, entry) => n + entry.length, 0);
  const count = table.length;
  const short = (n: number, width: number): number[] => le(zip64 ? 2 ** (8 * width) - 1 : n, width);
  const end = [
    0x50,
    0x4b,
    5,
    6,
    0,
    0,
    0,
    0,
    ...short(count, 2),
    ...short(count, 2),
    ...short(size, 4),
    ...short(start, 4),
    0,
    0,
  ];
  if (!zip64) return end;
  const record = [
    0x50,
    0x4b,
    6,
    6,
    ...le(44, 8),
    20,
    0,
    20,
    0,
    ...le(0, 8),
    ...le(count, 8),
    ...le(count, 8),
    ...le(size, 8),
    ...le(start, 8),
  ];
  return [...record, 0x50, 0x4b, 6, 7, 0, 0, 0, 0, ...le(start + size, 8), 1, 0, 0, 0, ...end];
}

/** The entries that torch.save writes. */
export const torchParts = (
  data: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  byteorder: string | undefined = "little",
): ZipPart[] => [
  { name: "archive/data.pkl", data },
  ...(byteorder === undefined ? [] : [{ name: "archive/byteorder", data: new TextEncoder().encode(byteorder) }]),
  ...Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, data: bytes })),
  { name: "archive/version", data: new TextEncoder().encode("3\n") },
];

/** A small archive, whole. */
export async function zipBytes(parts: Iterable<ZipPart>, options: { zip64?: boolean } = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of zipChunks(parts, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A checkpoint whose pickle is this value. */
export const checkpointBytes = (
  value: Piece,
  storages: Readonly<Record<string, Uint8Array>> = {},
  protocol = 2,
): Promise<Uint8Array> => zipBytes(torchParts(pickle(value, protocol), storages));

const STORAGES: Readonly<Record<string, string>> = {
  float32: "Float",
  float16: "Half",
  bfloat16: "BFloat16",
  float64: "Double",
  int64: "Long",
};

/** How torch.save describes tensors: those with the same data share a storage, as tied weights do. */
export function describeTensors(tensors: Readonly<Record<string, Tensor>>): {
  readonly described: Record<string, TorchTensor>;
  readonly storages: Record<string, Uint8Array>;
} {
  const keys = new Map<unknown, string>();
  const described: Record<string, TorchTensor> = {};
  const storages: Record<string, Uint8Array> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const key = keys.get(data) ?? String(keys.size);
    keys.set(data, key);
    storages[key] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    described[name] = { type: STORAGES[dtype]!, key, length: data.length, shape };
  }
  return { described, storages };
}

/** A state dict, saved. */
export const savedTensors = (tensors: Readonly<Record<string, Tensor>>): Promise<Uint8Array> => {
  const { described, storages } = describeTensors(tensors);
  return checkpointBytes(stateDict(described), storages);
};
