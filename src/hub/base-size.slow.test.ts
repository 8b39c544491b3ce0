/**
 * The published size in every format: 357,645,303 parameters, position_ids included, tied biases twice. Slow: it writes and reads 7 GB.
 * Prints the memory and the time that loading took, beside those of reading the file.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pickle, stateDict, type TorchTensor, type ZipPart, zipChunks } from "../../test/support/torch-bytes.ts";
import { saveFile } from "../io/index.ts";
import { flavaConfig, flavaParameters } from "../models/flava/index.ts";
import { castFloats, type FloatDType, size, type Tensor, tensor } from "../tensor/index.ts";
import { saveWeights } from "./index.ts";

const specs = flavaParameters(flavaConfig());

/** Numbers that every width holds, other ones for each name; cheap. */
function valuesOf({ name, shape }: { readonly name: string; readonly shape: readonly number[] }): Tensor {
  const length = size(shape);
  const data = new Float32Array(length);
  const start = [...name].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 1009, 7);
  const first = Math.min(length, 4099);
  for (let i = 0; i < first; i++) data[i] = (((start + i * 7) % 31) - 15) / 8;
  for (let filled = first; filled < length; filled *= 2) data.copyWithin(filled, 0, Math.min(filled, length - filled));
  return tensor("float32", shape, data);
}

/** The file of torch, storage by storage, tied biases in one. */
async function* torchEntries(dtype: FloatDType): AsyncGenerator<ZipPart> {
  const type = { float32: "Float", float16: "Half", bfloat16: "BFloat16" }[dtype];
  const described: Record<string, TorchTensor> = {};
  for (const [i, { name, aliases, shape }] of specs.entries())
    for (const one of [name, ...aliases]) described[one] = { type, key: String(i), length: size(shape), shape };
  described["flava.text_model.embeddings.position_ids"] = { type: "Long", key: "ids", length: 512, shape: [1, 512] };
  yield { name: "archive/data.pkl", data: pickle(stateDict(described)) };
  for (const [i, spec] of specs.entries()) {
    const { data } = castFloats(valuesOf(spec), dtype).tensor;
    yield { name: `archive/data/${i}`, data: new Uint8Array(data.buffer) };
  }
  const ids = BigInt64Array.from({ length: 512 }, (_, i) => BigInt(i));
  yield { name: "archive/data/ids", data: new Uint8Array(ids.buffer) };
}

const entries = (dtype: FloatDType) =>
  specs.flatMap((spec) =>
    [spec.name, ...spec.aliases].map((name) => ({
      name,
      dtype,
      shape: spec.shape,
      read: () => castFloats(valuesOf(spec), dtype).tensor,
    })),
  );

interface Loaded {
  readonly seconds: number;
  readonly reading: number;
  readonly peak: number;
  readonly hash: string;
  readonly count: number;
}

/** Reads the files whole, as they are: what any loading costs at least. */
const READ = `
import { readFile } from "node:fs/promises";
const start = performance.now();
const kept = [];
for (const file of process.argv[1].split(",")) kept.push(await readFile(file));
console.log((performance.now() - start) / 1000);
`;

/** Loads and keeps all tensors, then hashes them. */
const LOAD = `
import { createHash } from "node:crypto";
import { openModel } from "${fileURLToPath(new URL("../../dist/hub/index.js", import.meta.url))}";
const start = performance.now();
const model = await openModel(process.argv[1]);
const kept = new Map();
for (const name of model.weights.tensors.keys())
  if (!/position_ids|decoder\\.bias/.test(name)) kept.set(name, await model.weights.read(name));
const seconds = (performance.now() - start) / 1000;
const peak = process.resourceUsage().maxRSS * 1024;
const hash = createHash("sha256");
for (const name of [...kept.keys()].sort()) {
  const { buffer, byteOffset, byteLength } = kept.get(name).data;
  hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
}
console.log(JSON.stringify({ seconds, peak, hash: hash.digest("hex"), count: kept.size }));
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-base-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const expectedHash = (): string => {
  const hash = createHash("sha256");
  for (const spec of [...specs].sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(spec.name).update(new Uint8Array(valuesOf(spec).data.buffer));
  return hash.digest("hex");
};

/** A process of its own, so that its memory is that of the work. */
const child = (code: string, argument: string): unknown =>
  JSON.parse(String(execFileSync(process.execPath, ["--input-type=module", "-e", code, argument])));

function load(path: string, files: readonly string[]): Loaded {
  child(READ, files.join(",")); // into the system's cache
  const reading = child(READ, files.join(",")) as number;
  return { ...(child(LOAD, path) as Omit<Loaded, "reading">), reading };
}

const KINDS: readonly [what: string, write: (dir: string) => Promise<string[]>][] = [
  ["a checkpoint of torch, fp32", (dir) => torch(dir, "float32")],
  ["a checkpoint of torch, fp16", (dir) => torch(dir, "float16")],
  ["a checkpoint of torch, bf16", (dir) => torch(dir, "bfloat16")],
  ["safetensors, fp32", (dir) => safetensors(dir, "float32")],
  ["safetensors, fp16", (dir) => safetensors(dir, "float16")],
  ["safetensors, bf16, in shards", (dir) => safetensors(dir, "bfloat16", 2e8)],
];

async function torch(dir: string, dtype: FloatDType): Promise<string[]> {
  const path = join(dir, "pytorch_model.bin");
  await saveFile(path, zipChunks(torchEntries(dtype)));
  return [path];
}

async function safetensors(dir: string, dtype: FloatDType, maxShardBytes = 5e9): Promise<string[]> {
  const { files } = await saveWeights(dir, entries(dtype), { maxShardBytes });
  return files.filter((name) => name.endsWith(".safetensors")).map((name) => join(dir, name));
}

describe("a checkpoint of the published size", () => {
  it.each(KINDS)(
    "loads from %s to the same tensors",
    async (what, write) => {
      const dir = await mkdtemp(join(folder, "kind-"));
      const files = await write(dir);
      const bytes = (await Promise.all(files.map((file) => stat(file)))).reduce((n, file) => n + file.size, 0);
      const { seconds, reading, peak, hash, count } = load(dir, files);
      await rm(dir, { recursive: true });
      const result = specs.reduce((n, { shape }) => n + 4 * size(shape), 0);
      console.log(
        `${what}: ${(bytes / 1e9).toFixed(2)} GB, loaded in ${seconds.toFixed(2)} s (reading alone ${reading.toFixed(2)} s), peak memory ${(peak / 1e9).toFixed(2)} GB = ${(peak / result).toFixed(2)} of the tensors`,
      );
      expect(count).toBe(specs.length);
      expect(hash).toBe(expectedHash());
      expect(peak).toBeLessThan(1.25 * result);
      if (/fp32/.test(what)) expect(seconds).toBeLessThan(2 * reading);
    },
    300_000,
  );
});
