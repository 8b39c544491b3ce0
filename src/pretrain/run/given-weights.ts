/** Weights from a file, by the names of the published checkpoint, whatever names the file has. */
import { join } from "node:path";
import { openModel, openSafetensors } from "../../hub/index.ts";
import { statOf } from "../../io/index.ts";
import { type Layout, type TensorSource, underOurNames } from "../../models/index.ts";
import type { ParamSpec } from "../../nn/index.ts";
import { emaName } from "../../optim/index.ts";
import { OPTIMIZER_FILE, readTied } from "../../record/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** The tensors of a file against those that were asked for. */
export interface GivenWeights {
  /** The tensors that were asked for and found, by the names asked for, as they are in the file: shapes may differ. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Names that were asked for and not found. */
  readonly missing: readonly string[];
  /** Names, of the published checkpoint, that are in the file and were not asked for; at the end those that have none, as the file has them. */
  readonly others: readonly string[];
}

/** Code bases whose names a file may have, and how the work is stopped. */
export interface GivenOptions {
  readonly layouts: Readonly<Record<string, Layout>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The tensors that `specs` name, of a file of weights, a folder with one, or a checkpoint folder (there the averages, where it has
 * them). A tied tensor is found under any of its names. Throws CheckpointError, FileError.
 */
export async function readGiven(
  path: string,
  specs: readonly ParamSpec[],
  { layouts, signal }: GivenOptions,
): Promise<GivenWeights> {
  await using opened = await openModel(path, { signal });
  const { unknown, ...model } = underOurNames(opened.weights, layouts);
  const averages = join(path, OPTIMIZER_FILE);
  const isCheckpoint = (await statOf(averages))?.isFile() ?? false;
  if (!isCheckpoint) return withUnknown(await take(model, specs, signal), unknown);
  await using optimizer = await openSafetensors(averages);
  return withUnknown(await take(averaged(model, optimizer, specs), specs, signal), unknown);
}

const withUnknown = (given: GivenWeights, unknown: readonly string[]): GivenWeights => ({
  ...given,
  others: [...given.others, ...unknown],
});

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
