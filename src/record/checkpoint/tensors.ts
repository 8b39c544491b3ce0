/** Between a run's state and safetensors files: one tensor at a time, under the names of the published checkpoint. */
import { CheckpointError } from "../../errors.ts";
import type { Safetensors } from "../../hub/safetensors/read.ts";
import type { TensorEntry } from "../../hub/safetensors/write.ts";
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
    ...names.flatMap((name) => compare(file, store, name, storedNames(file, name, aliases)[0])),
    ...[...file.tensors.keys()]
      .filter((name) => !names.includes(name) && !Object.hasOwn(aliases, name))
      .map((name) => `${name}: in the file, not in the model`),
  ];
  if (problems.length > 0) throw mismatch(file.name, problems);
  const stored = names.map((name) => storedNames(file, name, aliases));
  for (const tied of stored) if (tied.length > 1) await readTied(file, tied, signal);
  for (const [i, name] of names.entries()) store.write(name, await file.read(stored[i]![0]!, { signal }));
}

/** Under which names a file holds a tensor: its own, an alias, or both. */
const storedNames = (file: TensorSource, name: string, aliases: Aliases): string[] =>
  [name, ...Object.keys(aliases).filter((alias) => aliases[alias] === name)].filter((one) => file.tensors.has(one));

function compare(file: Safetensors, store: TensorStore, name: string, stored = name): string[] {
  const info = file.tensors.get(stored);
  if (!info) return [`${name}: missing`];
  if (!store.has(name)) return [];
  const { dtype, shape } = store.buffer(name);
  if (info.dtype === dtype && sameShape(info.shape, shape)) return [];
  return [`${name}: expected ${dtype} ${formatShape(shape)}, got ${info.dtype} ${formatShape(info.shape)}`];
}

/** `file` does not hold the tensors of this model: each problem a line, the first ten. */
export function mismatch(file: string, problems: readonly string[]): CheckpointError {
  const some = problems.slice(0, 10).map((line) => `✖ ${line}`);
  if (problems.length > 10) some.push(`  and ${problems.length - 10} more`);
  return new CheckpointError(
    `${file}: expected the tensors of this model\n${some.join("\n")}`,
    "the file belongs to another model, stage or vocabulary",
  );
}

/** What can be asked of a file of tensors. */
export interface TensorSource extends Pick<Safetensors, "name" | "read"> {
  readonly tensors: ReadonlyMap<string, Pick<Tensor, "dtype" | "shape">>;
}

/**
 * One tensor that a file holds under each of these names, one or more. They must be the same, or one would be lost without a
 * word: CheckpointError.
 */
export async function readTied(
  file: TensorSource,
  [name, ...others]: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const t = await file.read(name!, { signal });
  for (const other of others) {
    const { dtype, shape, data } = await file.read(other, { signal });
    if (dtype !== t.dtype || !sameShape(shape, t.shape) || !sameBytes(data, t.data))
      throw new CheckpointError(`${file.name}: expected ${other} and ${name} to be one tensor, got two that differ`);
  }
  return t;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const sameBytes = (a: TypedArray, b: TypedArray): boolean => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
