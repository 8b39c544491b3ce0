/** Weights from a file, by the names of the published checkpoint, whatever names the file has. */
import { join } from "node:path";
import { openSafetensors } from "../../hub/index.ts";
import { statOf } from "../../io/index.ts";
import { fromDino } from "../../models/dino/index.ts";
import type { ParamSpec } from "../../nn/index.ts";
import { emaName } from "../../optim/index.ts";
import { MODEL_FILE, OPTIMIZER_FILE, readTied, type TensorSource } from "../../record/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** The tensors of a file against those that were asked for. */
export interface GivenWeights {
  /** The tensors that were asked for and found, by the names asked for, as they are in the file: shapes may differ. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Names that were asked for and not found. */
  readonly missing: readonly string[];
  /** Names, of the published checkpoint, that are in the file and were not asked for. */
  readonly others: readonly string[];
}

/**
 * The tensors that `specs` name, of a safetensors file, a folder with model.safetensors, or a checkpoint folder (there the averages,
 * where it has them). A tied tensor is found under any of its names. Throws CheckpointError, FileError.
 */
export async function readGiven(
  path: string,
  specs: readonly ParamSpec[],
  signal: AbortSignal | undefined,
): Promise<GivenWeights> {
  const isFolder = (await statOf(path))?.isDirectory() ?? false;
  await using file = await openSafetensors(isFolder ? join(path, MODEL_FILE) : path);
  const model = await published(file, signal);
  const averages = join(path, OPTIMIZER_FILE);
  if (!isFolder || !(await statOf(averages))) return await take(model, specs, signal); // before the file is closed
  await using optimizer = await openSafetensors(averages);
  return await take(averaged(model, optimizer, specs), specs, signal);
}

async function take(
  file: TensorSource,
  specs: readonly ParamSpec[],
  signal: AbortSignal | undefined,
): Promise<GivenWeights> {
  const tensors: Record<string, Tensor> = {};
  const missing: string[] = [];
  const others = new Set(file.tensors.keys());
  for (const { name, aliases } of specs) {
    const stored = [name, ...aliases].filter((one) => file.tensors.has(one));
    if (stored.length === 0) missing.push(name);
    else tensors[name] = await readTied(file, stored, signal);
    for (const one of stored) others.delete(one);
  }
  return { tensors, missing, others: [...others] };
}

/** A DINO encoder's names, as its authors' code, timm and wrappers of it spell them. */
const DINO_NAME = /^(module\.)?(backbone\.)?(blocks\.\d+\.attn|patch_embed)\./;

/** What the names of a part alone lack of those of the whole: the codebook's, and those of Hugging Face's FlavaModel. */
const PREFIXES = [
  ["image_codebook.", /^blocks\.input\./],
  ["flava.", /^(text|image)_model\./],
] as const;

/** The file under the names of the published checkpoint. */
async function published(file: TensorSource, signal: AbortSignal | undefined): Promise<TensorSource> {
  const names = [...file.tensors.keys()];
  if (names.some((name) => DINO_NAME.test(name))) {
    const all: Record<string, Tensor> = {};
    for (const name of names) all[name] = await file.read(name, { signal });
    const tensors = new Map(Object.entries(fromDino(all)));
    return { name: file.name, tensors, read: async (name) => tensors.get(name)! };
  }
  const prefix = PREFIXES.find(([, sign]) => names.some((name) => sign.test(name)))?.[0] ?? "";
  return {
    name: file.name,
    tensors: new Map([...file.tensors].map(([name, info]) => [`${prefix}${name}`, info])),
    read: (name, options) => file.read(name.slice(prefix.length), options),
  };
}

/** The model with its averaged tensors in place of the last ones. Second names go: what they hold is not averaged. */
function averaged(model: TensorSource, averages: TensorSource, specs: readonly ParamSpec[]): TensorSource {
  const has = (name: string): boolean => averages.tensors.has(emaName(name));
  const stale = new Set(specs.flatMap(({ name, aliases }) => (has(name) ? aliases : [])));
  const kept = [...model.tensors].filter(([name]) => !stale.has(name) && !has(name));
  const replaced = specs.flatMap(({ name }) =>
    has(name) ? [[name, averages.tensors.get(emaName(name))!] as const] : [],
  );
  return {
    name: model.name,
    tensors: new Map([...kept, ...replaced]),
    read: (name, options) => (has(name) ? averages.read(emaName(name), options) : model.read(name, options)),
  };
}
