/** What a pickle is read into: plain data, and the few things that torch adds. None of them does anything. */
import type { StoredDType } from "../stored.ts";

/** Any value of a pickle. A list is an array. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | PyTuple
  | PyDict
  | PyGlobal
  | PyObject
  | PyStorage
  | PyTensor;

export interface PyTuple {
  readonly type: "tuple";
  readonly items: readonly PyValue[];
}

/** A dict, ordered as it was filled. */
export interface PyDict {
  readonly type: "dict";
  readonly entries: Map<PyValue, PyValue>;
}

/** A name from the allow-list: a function, a class, a dtype. */
export interface PyGlobal {
  readonly type: "global";
  readonly name: string;
}

/** An instance of a class of the allow-list: its class and its fields. */
export interface PyObject {
  readonly type: "object";
  readonly name: string;
  state: PyValue;
}

/** Bytes of the archive that tensors look into. */
export interface PyStorage {
  readonly type: "storage";
  /** Its name among the archive's entries. */
  readonly key: string;
  /** Undefined for untyped bytes: the tensor says. */
  readonly storedAs: StoredDType | undefined;
  /** Elements; bytes where it is untyped. */
  readonly length: number;
}

/** A view of a storage; offset and strides in elements. */
export interface PyTensor {
  readonly type: "tensor";
  readonly storage: PyStorage;
  readonly storedAs: StoredDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

type Tagged = PyTuple | PyDict | PyGlobal | PyObject | PyStorage | PyTensor;

/** Whether a value is of one of the tagged kinds. */
export const isA = <T extends Tagged["type"]>(
  type: T,
  value: PyValue | undefined,
): value is Extract<Tagged, { type: T }> =>
  typeof value === "object" && value !== null && "type" in value && value.type === type;

/** The items of a list or tuple. */
export const itemsOf = (value: PyValue | undefined): readonly PyValue[] | undefined =>
  Array.isArray(value) ? value : isA("tuple", value) ? value.items : undefined;

const NAMES: readonly [test: (value: PyValue) => boolean, name: string][] = [
  [(v) => v === null, "None"],
  [(v) => typeof v === "boolean", "a bool"],
  [(v) => typeof v === "bigint" || Number.isInteger(v), "an int"],
  [(v) => typeof v === "number", "a float"],
  [(v) => typeof v === "string", "a str"],
  [(v) => v instanceof Uint8Array, "bytes"],
];

/** What a value is, in Python's words. */
export function describeValue(value: PyValue): string {
  const plain = NAMES.find(([test]) => test(value));
  if (plain) return plain[1];
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isA("tuple", value)) return `a tuple of ${value.items.length}`;
  if (isA("dict", value)) return `a dict of ${value.entries.size}`;
  if (isA("global", value)) return value.name;
  if (isA("object", value)) return `a ${value.name}`;
  return isA("tensor", value) ? `a tensor (${value.shape.join(", ")})` : "a storage";
}
