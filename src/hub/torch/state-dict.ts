/** Which of the tensors of a checkpoint are the model's: the whole file, or one dict among optimizer, epoch and the like. */
import { CheckpointError } from "../../errors.ts";
import type { OtherEntry } from "../tensor-file.ts";
import { describeValue, isA, type PyDict, type PyTensor, type PyValue } from "./values.ts";

/** A model's tensors by name, and what else is in the file. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, PyTensor>;
  readonly others: readonly OtherEntry[];
}

/**
 * Where training code keeps a model beside other things, most likely first. Of DINO's two networks the teacher is the result
 * (arXiv:2104.14294 §4.1).
 */
const MODEL_KEYS = ["state_dict", "model_state_dict", "model", "teacher", "student", "module", "net", "weights", "ema"];
const MAX_DEPTH = 4;

/**
 * The state dict of a checkpoint. `entry`, keys joined by dots, says which dict is meant where there are several: "student". Throws
 * CheckpointError where there is none, or nothing says which.
 */
export function findStateDict(where: string, root: PyValue, entry?: string): StateDict {
  const others: OtherEntry[] = [];
  let value = moduleDict(where, root) ?? root;
  let path = "";
  for (const key of entry === undefined ? [] : entry.split(".")) {
    const next: PyValue | undefined = isA("dict", value) ? value.entries.get(key) : undefined;
    if (next === undefined) throw new CheckpointError(`${where}: expected an entry "${entry}", got ${listKeys(value)}`);
    others.push(...beside(value as PyDict, key, path));
    path += `${key}.`;
    value = moduleDict(where, next) ?? next;
  }
  for (let depth = 0; depth < MAX_DEPTH && isA("dict", value) && !holdsTensors(value); depth++) {
    const key = modelKey(where, value, path);
    others.push(...beside(value, key, path));
    path += `${key}.`;
    const next = value.entries.get(key)!;
    value = moduleDict(where, next) ?? next;
  }
  if (!isA("dict", value) || !holdsTensors(value))
    throw new CheckpointError(
      `${where}: expected tensors by name, got ${describeValue(value)}`,
      "save the model's state_dict(): torch.save(model.state_dict(), …)",
    );
  return split(value, path, others);
}

const holdsTensors = ({ entries }: PyDict): boolean =>
  [...entries].some(([key, value]) => typeof key === "string" && isA("tensor", value));

/** The tensors of the chosen dict, and what else is in it. */
function split({ entries }: PyDict, path: string, others: OtherEntry[]): StateDict {
  const tensors = new Map<string, PyTensor>();
  for (const [key, value] of entries)
    if (typeof key === "string" && isA("tensor", value)) tensors.set(key, value);
    else others.push({ name: `${path}${label(key)}`, what: summary(value) });
  return { tensors, others };
}

const label = (key: PyValue): string => (typeof key === "object" ? describeValue(key) : String(key));

const beside = ({ entries }: PyDict, chosen: string, path: string): OtherEntry[] =>
  [...entries]
    .filter(([key]) => key !== chosen)
    .map(([key, value]) => ({ name: `${path}${label(key)}`, what: summary(value) }));

/** "a dict with 412 tensors". */
function summary(value: PyValue): string {
  const count = countTensors(value);
  const what = describeValue(value);
  return count === 0 || isA("tensor", value)
    ? what
    : `${what.replace(/ of \d+$/, "")} with ${count} ${count === 1 ? "tensor" : "tensors"}`;
}

/** The tensors in a value; each container is entered once, however often it is referred to. */
function countTensors(value: PyValue): number {
  const seen = new Set<PyValue>();
  const open: PyValue[] = [value];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    if (isA("tensor", next)) count++;
    else if (Array.isArray(next)) for (const item of next) open.push(item);
    else if (isA("tuple", next)) for (const item of next.items) open.push(item);
    else if (isA("dict", next)) for (const item of next.entries.values()) open.push(item);
    else if (isA("object", next)) open.push(next.state);
  }
  return count;
}

function modelKey(where: string, dict: PyDict, path: string): string {
  const known = MODEL_KEYS.find((key) => dict.entries.has(key) && countTensors(dict.entries.get(key)!) > 0);
  if (known !== undefined) return known;
  const filled = [...dict.entries].filter(([key, value]) => typeof key === "string" && countTensors(value) > 0);
  if (filled.length === 1) return filled[0]![0] as string;
  if (filled.length === 0) throw new CheckpointError(`${where}: expected tensors, got ${listKeys(dict)}`);
  throw new CheckpointError(
    `${where}: expected one dict of tensors, got ${filled.map(([key, value]) => `${path}${label(key)} (${summary(value)})`).join(", ")}`,
    `say which: entry: "${path}${label(filled[0]![0])}", on the command line --entry`,
  );
}

function listKeys(value: PyValue): string {
  if (!isA("dict", value)) return describeValue(value);
  const keys = [...value.entries.keys()].map(label);
  return keys.length === 0
    ? "an empty dict"
    : `${keys.slice(0, 10).join(", ")}${keys.length > 10 ? `, … (${keys.length})` : ""}`;
}

/** The state dict of a pickled module, from the fields that every torch module has; undefined for what is none. */
function moduleDict(where: string, root: PyValue): PyDict | undefined {
  if (!isA("object", root) || !isModule(root.state)) return undefined;
  const entries = new Map<PyValue, PyValue>();
  const open: { readonly prefix: string; readonly value: PyValue }[] = [{ prefix: "", value: root }];
  for (let done = 0; done < open.length; done++) {
    const { prefix, value } = open[done]!;
    if (!isA("object", value) || !isModule(value.state)) continue;
    for (const field of ["_parameters", "_buffers"])
      for (const [key, t] of fieldOf(value.state, field))
        if (isA("tensor", t)) entries.set(`${prefix}${label(key)}`, t);
    for (const [key, child] of fieldOf(value.state, "_modules"))
      open.push({ prefix: `${prefix}${label(key)}.`, value: child });
    if (open.length > MAX_MODULES)
      throw new CheckpointError(`${where}: expected at most ${MAX_MODULES} modules, got one that holds itself`);
  }
  return { type: "dict", entries };
}

/** The dVAE has some eighty. */
const MAX_MODULES = 5000;

const isModule = (state: PyValue): state is PyDict => isA("dict", state) && state.entries.has("_parameters");

function fieldOf(state: PyDict, field: string): Iterable<[PyValue, PyValue]> {
  const value = state.entries.get(field);
  return isA("dict", value) ? value.entries : [];
}
