/**
 * The names that a checkpoint may refer to, and what each becomes. They are those that torch's own `weights_only` needs for state dicts,
 * the options object of DINO's files, and the classes of OpenAI's pickled dVAE. Whatever else a file names is refused.
 */
import { CheckpointError } from "../../errors.ts";
import type { StoredDType } from "../stored.ts";
import type { PickleRules } from "./pickle.ts";
import { describeValue, isA, itemsOf, type PyDict, type PyStorage, type PyTensor, type PyValue } from "./values.ts";

/** torch's storage classes; null: untyped bytes. */
const STORAGES: Readonly<Record<string, StoredDType | null>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.UInt16Storage": "U16",
  "torch.UInt32Storage": "U32",
  "torch.UntypedStorage": null,
  "torch.storage.UntypedStorage": null,
};

const DTYPES: Readonly<Record<string, StoredDType>> = {
  "torch.float64": "F64",
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.uint16": "U16",
  "torch.uint32": "U32",
  "torch.bool": "BOOL",
};

/** Classes whose instances are kept as their fields. */
const CLASSES: ReadonlySet<string> = new Set([
  "argparse.Namespace",
  "dall_e.encoder.Encoder",
  "dall_e.encoder.EncoderBlock",
  "dall_e.decoder.Decoder",
  "dall_e.decoder.DecoderBlock",
  "dall_e.utils.Conv2d",
  "torch.nn.modules.activation.ReLU",
  "torch.nn.modules.container.Sequential",
  "torch.nn.modules.linear.Identity",
  "torch.nn.modules.pooling.MaxPool2d",
  "torch.nn.modules.upsampling.Upsample",
]);

/** Names that are only mentioned: the type of a parameter, the type of a storage. */
const MENTIONED: ReadonlySet<string> = new Set([
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "torch.storage.TypedStorage",
  "torch.storage._TypedStorage",
]);

type Call = (where: string, args: readonly PyValue[]) => PyValue;

const rebuildTensor: Call = (where, [storage, offset, shape, strides]) =>
  view(where, { storage, offset, shape, strides });

/** Functions, by name. */
const CALLS: Readonly<Record<string, Call>> = {
  "collections.OrderedDict": (where, args) => orderedDict(where, args[0]),
  "torch._utils._rebuild_tensor": rebuildTensor,
  "torch._utils._rebuild_tensor_v2": rebuildTensor,
  "torch._utils._rebuild_tensor_v3": (where, [storage, offset, shape, strides, , , dtype]) =>
    view(where, { storage, offset, shape, strides, dtype }),
  "torch._utils._rebuild_parameter": (where, [data]) => tensorOf(where, data),
  "torch._utils._rebuild_parameter_with_state": (where, [data]) => tensorOf(where, data),
  "torch._tensor._rebuild_from_type_v2": (where, [f, , args]) =>
    callNamed(where, notItself(where, f), itemsOf(args) ?? []),
  "torch.Size": (_, [items]) => ({ type: "tuple", items: itemsOf(items) ?? [] }),
  "torch.device": (_, args) => args.map((part) => (isA("global", part) ? part.name : part)),
  "torch.serialization._get_layout": (_, [name]) => name ?? null,
  "_codecs.encode": (where, [text]) => latinBytes(where, text),
  "builtins.set": (_, [items]) => [...(itemsOf(items) ?? [])],
  "__builtin__.set": (_, [items]) => [...(itemsOf(items) ?? [])],
};

const TYPED = "torch._tensor._rebuild_from_type_v2";

/** A tensor of a type is made of a plain one: calls of that function inside of each other could go on without end. */
function notItself(where: string, f: PyValue | undefined): PyValue | undefined {
  if (!isA("global", f) || f.name !== TYPED) return f;
  throw new CheckpointError(`${where}: ${TYPED}: expected a function that makes a plain tensor`);
}

const isAllowed = (name: string): boolean =>
  [CALLS, STORAGES, DTYPES].some((table) => Object.hasOwn(table, name)) || CLASSES.has(name) || MENTIONED.has(name);

/** The rules for a checkpoint. `storage` answers for the archive: whether an entry of that name and size is in it. */
export function torchRules(where: string, storage: (found: PyStorage) => void): PickleRules {
  return {
    global(name) {
      if (isAllowed(name)) return { type: "global", name };
      throw new CheckpointError(
        `${where}: expected only what a state dict needs, got the name ${JSON.stringify(name.slice(0, 200))}`,
        "nothing of the file was executed; if you trust it, save its state_dict() alone (torch.save(model.state_dict(), …)) or as safetensors",
      );
    },
    call: (f, args) => callNamed(where, f, args),
    persistent(id) {
      const found = storageOf(where, id);
      storage(found);
      return found;
    },
  };
}

function callNamed(where: string, f: PyValue | undefined, args: readonly PyValue[]): PyValue {
  const name = isA("global", f) ? f.name : undefined;
  if (name !== undefined && Object.hasOwn(CALLS, name)) return CALLS[name]!(where, args);
  if (name !== undefined && CLASSES.has(name)) return { type: "object", name, state: null };
  throw new CheckpointError(
    `${where}: expected a call that a state dict needs, got one of ${name ?? describeValue(f ?? null)}`,
    "nothing of the file was executed",
  );
}

/** An empty one, or one of pairs. */
function orderedDict(where: string, pairs: PyValue | undefined): PyDict {
  const entries = new Map<PyValue, PyValue>();
  for (const pair of itemsOf(pairs) ?? []) {
    const [key, value, ...rest] = itemsOf(pair) ?? [];
    if (key === undefined || value === undefined || rest.length > 0)
      throw new CheckpointError(`${where}: expected pairs for an OrderedDict`);
    entries.set(key, value);
  }
  return { type: "dict", entries };
}

function latinBytes(where: string, text: PyValue | undefined): Uint8Array {
  if (typeof text !== "string") throw new CheckpointError(`${where}: _codecs.encode: expected text`);
  return Uint8Array.from(text, (c) => c.codePointAt(0)! & 0xff);
}

function tensorOf(where: string, value: PyValue | undefined): PyTensor {
  if (isA("tensor", value)) return value;
  throw new CheckpointError(`${where}: expected a tensor in a parameter, got ${describeValue(value ?? null)}`);
}

/** `("storage", class, key, device, length)`. */
function storageOf(where: string, id: PyValue): PyStorage {
  const [kind, type, key, , length] = itemsOf(id) ?? [];
  const name = isA("global", type) ? type.name : undefined;
  if (kind !== "storage" || name === undefined || !Object.hasOwn(STORAGES, name))
    throw new CheckpointError(
      `${where}: expected a reference to a storage, got ${name ?? describeValue(kind ?? null)}`,
    );
  if (typeof key !== "string" || !isCount(length))
    throw new CheckpointError(`${where}: expected a storage's key and length, got ${describeValue(key ?? null)}`);
  return { type: "storage", key, storedAs: STORAGES[name] ?? undefined, length };
}

const isCount = (value: PyValue | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

interface View {
  readonly storage: PyValue | undefined;
  readonly offset: PyValue | undefined;
  readonly shape: PyValue | undefined;
  readonly strides: PyValue | undefined;
  readonly dtype?: PyValue | undefined;
}

function view(where: string, { storage, offset, shape, strides, dtype }: View): PyTensor {
  const [sizes, steps] = [itemsOf(shape), itemsOf(strides)];
  if (
    !isA("storage", storage) ||
    !isCount(offset) ||
    !sizes?.every(isCount) ||
    !steps?.every(isCount) ||
    sizes.length !== steps.length
  )
    throw new CheckpointError(`${where}: expected a storage, an offset, a shape and strides of a tensor`);
  if (sizes.length > MAX_RANK)
    throw new CheckpointError(`${where}: expected at most ${MAX_RANK} axes, got ${sizes.length}`);
  const storedAs = isA("global", dtype) ? DTYPES[dtype.name] : storage.storedAs;
  if (!storedAs) throw new CheckpointError(`${where}: expected the dtype of an untyped storage, got none`);
  return { type: "tensor", storage, storedAs, offset, shape: sizes as number[], strides: steps as number[] };
}

/** torch has 64 axes at most. */
const MAX_RANK = 64;
