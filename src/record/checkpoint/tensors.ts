/** Between a run's state and safetensors files: one tensor at a time, under the names of the published checkpoint. */
import { CheckpointError } from "../../errors.ts";
import type { Safetensors, TensorEntry } from "../../hub/index.ts";
import { formatShape, sameShape, type Tensor, type TypedArray } from "../../tensor/index.ts";

/** What is read of a run's state; `State` of the runtime is one. */
export interface TensorStore {
  has(name: string): boolean;
  buffer(name: string): Pick<Tensor, "dtype" | "shape">;
  read(name: string): Promise<Tensor>;
  write(name: string, t: Tensor): void;
}

/** Second names of tensors, as tied weights have in published files: alias → name. */
export type Aliases = Readonly<Record<string, string>>;

/** The aliases that parameters were declared with. */
export const aliasesOf = (specs: readonly { readonly name: string; readonly aliases?: readonly string[] }[]): Aliases =>
  Object.fromEntries(specs.flatMap(({ name, aliases = [] }) => aliases.map((alias) => [alias, name])));

/** Entries for a file of these tensors. Nothing is read before its turn; an alias is written as a copy. */
export function storeEntries(
  store: Pick<TensorStore, "buffer" | "read">,
  names: readonly string[],
  aliases: Aliases = {},
): TensorEntry[] {
  const entry = (name: string, from: string): TensorEntry => {
    const { dtype, shape } = store.buffer(from);
    return { name, dtype, shape, read: () => store.read(from) };
  };
  const known = new Set(names);
  const copies = Object.entries(aliases).filter(([, name]) => known.has(name));
  return [...names.map((name) => entry(name, name)), ...copies.map(([alias, name]) => entry(alias, name))];
}

export interface RestoreOptions {
  readonly aliases?: Aliases | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the tensors of a file into the store. The file must hold these names and no others, aliases apart, in the store's
 * dtypes and shapes; all of that is checked before the first is written. Throws CheckpointError that lists what differs.
 */
export async function restoreTensors(
  file: Safetensors,
  store: TensorStore,
  names: readonly string[],
  { aliases = {}, signal }: RestoreOptions = {},
): Promise<void> {
  const problems = [
    ...names.flatMap((name) => compare(file, store, name)),
    ...[...file.tensors.keys()]
      .filter((name) => !names.includes(name) && !Object.hasOwn(aliases, name))
      .map((name) => `${name}: in the file, not in the model`),
  ];
  if (problems.length > 0) throw mismatch(file.name, problems);
  for (const [alias, name] of Object.entries(aliases))
    if (names.includes(name)) await checkAlias(file, alias, name, signal);
  for (const name of names) store.write(name, await file.read(name, { signal }));
}

function compare(file: Safetensors, store: TensorStore, name: string): string[] {
  const info = file.tensors.get(name);
  if (!info) return [`${name}: missing`];
  if (!store.has(name)) return [];
  const { dtype, shape } = store.buffer(name);
  if (info.dtype === dtype && sameShape(info.shape, shape)) return [];
  return [`${name}: expected ${dtype} ${formatShape(shape)}, got ${info.dtype} ${formatShape(info.shape)}`];
}

function mismatch(file: string, problems: readonly string[]): CheckpointError {
  const some = problems.slice(0, 10).map((line) => `✖ ${line}`);
  if (problems.length > 10) some.push(`  and ${problems.length - 10} more`);
  return new CheckpointError(
    `${file}: expected the tensors of this model\n${some.join("\n")}`,
    "the file belongs to another model, stage or vocabulary",
  );
}

/** A tied tensor that is stored twice must be the same twice, or one of the two would be lost without a word. */
async function checkAlias(
  file: Safetensors,
  alias: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!file.tensors.has(alias)) return;
  const [a, b] = [await file.read(alias, { signal }), await file.read(name, { signal })];
  if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape) || !sameBytes(a.data, b.data))
    throw new CheckpointError(`${file.name}: expected ${alias} and ${name} to be one tensor, got two that differ`);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const sameBytes = (a: TypedArray, b: TypedArray): boolean => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;

/**
 * The tensors of a file that a model can start from: those of `specs` whose names are there. A tensor of another shape is
 * a CheckpointError; names that are not there are `missing`, for the caller to judge.
 */
export async function readMatching(
  file: Safetensors,
  specs: readonly Pick<TensorEntry, "name" | "shape">[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly tensors: Record<string, Tensor>; readonly missing: string[] }> {
  const wrong = specs.flatMap(({ name, shape }) => {
    const info = file.tensors.get(name);
    return !info || sameShape(info.shape, shape)
      ? []
      : [`${name}: expected ${formatShape(shape)}, got ${formatShape(info.shape)}`];
  });
  if (wrong.length > 0) throw mismatch(file.name, wrong);
  const tensors: Record<string, Tensor> = {};
  for (const { name } of specs) if (file.tensors.has(name)) tensors[name] = await file.read(name, { signal });
  return { tensors, missing: specs.map(({ name }) => name).filter((name) => !file.tensors.has(name)) };
}
