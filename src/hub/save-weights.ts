/** Writes weights as others read them: one safetensors file, or several of limited size with an index (Node). */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import { makeFolder, namesIn, type SaveOptions, saveJson, syncFolder, writeError } from "../io/index.ts";
import { byteSize, size } from "../tensor/index.ts";
import { weightFiles } from "./model-files.ts";
import { saveSafetensors } from "./safetensors/file.ts";
import type { EncodeOptions, TensorEntry } from "./safetensors/write.ts";

/** How weights are written. */
export interface SaveWeightsOptions extends EncodeOptions, SaveOptions {
  /** A file gets no larger, unless one tensor is. Default 5 GB, as in transformers. */
  readonly maxShardBytes?: number | undefined;
  /** Whether weights that the folder holds already are replaced; without it they are a ConfigError. */
  readonly overwrite?: boolean | undefined;
}

/** The files that were written, in order. */
export interface SavedWeights {
  readonly files: readonly string[];
  readonly byteLength: number;
}

/** As in transformers. */
export const DEFAULT_SHARD_BYTES = 5_000_000_000;

const bytesOf = ({ dtype, shape }: TensorEntry): number => byteSize(dtype) * size(shape);

/** Entries in turn, a new shard where the next would not fit. */
function shardsOf(entries: readonly TensorEntry[], most: number): TensorEntry[][] {
  const shards: TensorEntry[][] = [[]];
  let filled = 0;
  for (const entry of entries) {
    if (filled > 0 && filled + bytesOf(entry) > most) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(entry);
    filled += bytesOf(entry);
  }
  return shards;
}

/** Every name under which weights may lie in a folder. */
const WEIGHTS =
  /^((model|pytorch_model)(-\d{5}-of-\d{5})?\.(safetensors|bin)|(model\.safetensors|pytorch_model\.bin)\.index\.json)$/;

/**
 * Writes `model.safetensors`, or `model-00001-of-0000N.safetensors` and `model.safetensors.index.json`. The files appear under their names
 * when all of them are complete; weights of before are removed then. Throws ConfigError, FileError, CheckpointError.
 */
export async function saveWeights(
  folder: string,
  entries: readonly TensorEntry[],
  options: SaveWeightsOptions = {},
): Promise<SavedWeights> {
  const { maxShardBytes = DEFAULT_SHARD_BYTES, overwrite = false, ...saving } = options;
  if (!(maxShardBytes > 0)) throw new ConfigError(`maxShardBytes: expected more than 0, got ${maxShardBytes}`);
  await makeFolder(folder);
  const old = (await namesIn(folder)).filter((name) => WEIGHTS.test(name));
  if (old.length > 0 && !overwrite)
    throw new ConfigError(
      `${folder}: expected a folder without weights, got ${old.join(", ")}`,
      "choose another folder, or replace them: { overwrite: true }, --overwrite on the command line",
    );
  const shards = shardsOf(entries, maxShardBytes);
  const [single, index] = weightFiles();
  const names = shards.map((_, i) => (shards.length === 1 ? single! : shardName(i + 1, shards.length)));
  const room = await mkdtemp(join(folder, "weights-")).catch((error) => Promise.reject(writeError(folder, error)));
  try {
    let byteLength = 0;
    for (const [i, shard] of shards.entries())
      byteLength += await saveSafetensors(join(room, names[i]!), shard, saving);
    const all = [...names];
    if (shards.length > 1) {
      await saveJson(join(room, index!), indexOf(entries, shards, names));
      all.push(index!);
    }
    for (const name of old) await rm(join(folder, name));
    for (const name of all) await rename(join(room, name), join(folder, name));
    await syncFolder(folder);
    return { files: all, byteLength };
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

const shardName = (i: number, of: number): string =>
  `model-${String(i).padStart(5, "0")}-of-${String(of).padStart(5, "0")}.safetensors`;

const indexOf = (
  entries: readonly TensorEntry[],
  shards: readonly TensorEntry[][],
  names: readonly string[],
): object => ({
  metadata: {
    total_parameters: entries.reduce((n, { shape }) => n + size(shape), 0),
    total_size: entries.reduce((n, entry) => n + bytesOf(entry), 0),
  },
  weight_map: Object.fromEntries(
    shards
      .flatMap((shard, i) => shard.map(({ name }) => [name, names[i]!] as const))
      .sort((a, b) => (a[0] < b[0] ? -1 : 1)),
  ),
});
