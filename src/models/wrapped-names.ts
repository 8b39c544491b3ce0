/** The names of a file without what stands around a model. */
import { CheckpointError } from "../errors.ts";

interface Named {
  /** Path or URL, for messages. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, unknown>;
}

/** What wrappers put into names: DataParallel, torch.compile, FSDP, activation checkpointing. */
const WRAPPERS = /^(module\.)+|\b_(orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)\./g;

/** Names without what wrappers put in front, and those of the file. Throws CheckpointError where two become one. */
export function plainNames({ name: where, tensors }: Named): Map<string, string> {
  const plain = new Map<string, string>();
  for (const name of tensors.keys()) {
    const short = name.replace(WRAPPERS, "");
    if (plain.has(short)) throw twice(where, short, plain.get(short)!, name);
    plain.set(short, name);
  }
  return plain;
}

/** The names without the first scope, where all have the same; undefined where they do not. */
export function withoutScope(plain: ReadonlyMap<string, string>): Map<string, string> | undefined {
  const [first = ""] = plain.keys();
  const scope = first.slice(0, first.indexOf(".") + 1);
  if (scope === "" || ![...plain.keys()].every((name) => name.startsWith(scope))) return undefined;
  return new Map([...plain].map(([short, name]) => [short.slice(scope.length), name]));
}

/** Two tensors of a file that would be one. */
export const twice = (where: string, name: string, one: string, other: string): CheckpointError =>
  new CheckpointError(`${where}: expected one tensor for ${name}, got "${one}" and "${other}"`);
