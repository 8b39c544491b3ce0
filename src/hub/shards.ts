/** Weights in several files, and the index that says which tensor is where (`*.index.json`, as Hugging Face writes them). */
import { CheckpointError } from "../errors.ts";
import { duplicateKey } from "./safetensors/duplicate-key.ts";
import { isRecord } from "./safetensors/header.ts";
import type { OtherEntry, StoredTensor, TensorFile } from "./tensor-file.ts";

/** What an index says: tensor → file. */
type WeightMap = Readonly<Record<string, string>>;

/**
 * Opens all files of an index. They must hold the tensors that it lists, and no others. `open` gets file names without folders. Throws
 * CheckpointError.
 */
export async function openShards(
  where: string,
  json: string,
  open: (file: string) => Promise<TensorFile>,
): Promise<TensorFile> {
  const map = parseIndex(where, json);
  const files = new Map<string, TensorFile>();
  const close = async (): Promise<void> => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const name of [...new Set(Object.values(map))].sort()) files.set(name, await open(name));
    checkShards(where, map, files);
  } catch (error) {
    await close();
    throw error;
  }
  const tensors = new Map<string, StoredTensor>();
  for (const file of files.values()) for (const [name, info] of file.tensors) tensors.set(name, info);
  const all = [...files.values()];
  return {
    name: where,
    format: all[0]!.format,
    parts: all.length,
    metadata: all[0]!.metadata,
    tensors,
    others: all.flatMap((file): readonly OtherEntry[] => file.others),
    async read(name, options) {
      const file = Object.hasOwn(map, name) ? files.get(map[name]!) : undefined;
      if (!file) throw new CheckpointError(`${where}: expected a tensor "${name}", got none`);
      return file.read(name, options);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function parseIndex(where: string, json: string): WeightMap {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new CheckpointError(`${where}: expected JSON, got ${(cause as Error).message}`, undefined, { cause });
  }
  const twice = duplicateKey(json);
  if (twice !== undefined) throw new CheckpointError(`${where}: expected each name once, got "${twice}" twice`);
  const map = isRecord(value) ? value.weight_map : undefined;
  if (!isRecord(map) || Object.keys(map).length === 0)
    throw new CheckpointError(`${where}: expected a weight_map of files by tensor`);
  for (const [name, file] of Object.entries(map))
    if (typeof file !== "string" || !/^[\w][\w.-]*$/.test(file))
      throw new CheckpointError(
        `${where}: ${name}: expected the name of a file beside it, got ${JSON.stringify(file)}`,
      );
  return map as WeightMap;
}

function checkShards(where: string, map: WeightMap, files: ReadonlyMap<string, TensorFile>): void {
  const missing = Object.entries(map).filter(([name, file]) => !files.get(file)!.tensors.has(name));
  const extra = [...files].flatMap(([file, { tensors }]) =>
    [...tensors.keys()]
      .filter((name) => !Object.hasOwn(map, name) || map[name] !== file)
      .map((name) => [name, file] as const),
  );
  const problems = [
    ...missing.map(([name, file]) => `${name}: not in ${file}`),
    ...extra.map(([name, file]) => `${name}: in ${file}, which the index does not say`),
  ];
  if (problems.length > 0)
    throw new CheckpointError(
      `${where}: expected the tensors that it lists\n${problems
        .slice(0, 10)
        .map((line) => `✖ ${line}`)
        .join("\n")}${problems.length > 10 ? `\n  and ${problems.length - 10} more` : ""}`,
      "the files and the index are of different downloads: fetch all of them again",
    );
}
