/**
 * A machine for pickles, protocols 0 to 5 (opcodes as in CPython's pickletools), that builds plain data. It looks nothing up and calls
 * nothing: names and calls are answered by two functions that its user passes, from an allow-list.
 */
import { CheckpointError } from "../../errors.ts";
import { describeValue, isA, type PyDict, type PyObject, type PyValue } from "./values.ts";

/** What the machine asks for. Each throws CheckpointError for what is not allowed. */
export interface PickleRules {
  /** The name `module.name`. */
  global(name: string): PyValue;
  /** `f(*args)`, and an instance of a class. */
  call(f: PyValue, args: readonly PyValue[]): PyValue;
  /** What a persistent id stands for: torch's storages. */
  persistent(id: PyValue): PyValue;
}

/** A state dict has about 25 operations and 5 containers a tensor. */
const MAX_OPERATIONS = 1 << 22;
const MAX_CONTAINERS = 1 << 19;
/** An integer that a checkpoint holds has 8 bytes, or 10 (torch's magic number). */
const MAX_INTEGER_BYTES = 64;

interface Machine {
  readonly where: string;
  readonly rules: PickleRules;
  readonly data: DataView;
  at: number;
  stack: PyValue[];
  /** Stacks below the marks. */
  readonly marks: PyValue[][];
  readonly memo: Map<number, PyValue>;
  containers: number;
}

/** The value of a pickle. Throws CheckpointError for one that is cut off, damaged, too large or not allowed. */
export function unpickle(where: string, bytes: Uint8Array, rules: PickleRules): PyValue {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const m: Machine = { where, rules, data, at: 0, stack: [], marks: [], memo: new Map(), containers: 0 };
  for (let done = 0; ; done++) {
    if (done > MAX_OPERATIONS) throw wrong(m, `expected at most ${MAX_OPERATIONS} operations`);
    const code = data.getUint8(need(m, 1));
    if (code === STOP) return pop(m);
    const run = OPERATIONS[code];
    if (!run) throw wrong(m, `expected an operation that plain data needs, got opcode 0x${code.toString(16)}`);
    run(m);
  }
}

const wrong = (m: Machine, what: string): CheckpointError =>
  new CheckpointError(`${m.where}: ${what}, at byte ${m.at} of the pickle`, "nothing of the file was executed");

/** Takes `count` bytes; where they start. */
function need(m: Machine, count: number): number {
  if (count > m.data.byteLength - m.at) throw wrong(m, `expected ${count} bytes more, got the end`);
  m.at += count;
  return m.at - count;
}

function pop(m: Machine): PyValue {
  const value = m.stack.pop();
  if (value === undefined) throw wrong(m, "expected a value, got an empty stack");
  return value;
}

function top(m: Machine): PyValue {
  const value = m.stack.at(-1);
  if (value === undefined) throw wrong(m, "expected a value, got an empty stack");
  return value;
}

/** The values since the last mark. */
function popMark(m: Machine): PyValue[] {
  const below = m.marks.pop();
  if (!below) throw wrong(m, "expected a mark, got none");
  const items = m.stack;
  m.stack = below;
  return items;
}

const push = (m: Machine, value: PyValue): void => void m.stack.push(value);

function container<T extends PyValue>(m: Machine, value: T): T {
  if (++m.containers > MAX_CONTAINERS) throw wrong(m, `expected at most ${MAX_CONTAINERS} containers`);
  return value;
}

const tuple = (m: Machine, items: readonly PyValue[]): PyValue => container(m, { type: "tuple", items });

function dict(m: Machine, flat: readonly PyValue[] = []): PyDict {
  const made = container<PyDict>(m, { type: "dict", entries: new Map() });
  fill(m, made, flat);
  return made;
}

function fill(m: Machine, target: PyValue, flat: readonly PyValue[]): void {
  if (!isA("dict", target)) throw wrong(m, `expected a dict, got ${describeValue(target)}`);
  if (flat.length % 2) throw wrong(m, "expected a value for each key");
  for (let i = 0; i < flat.length; i += 2) target.entries.set(flat[i]!, flat[i + 1]!);
}

function append(m: Machine, target: PyValue, items: readonly PyValue[]): void {
  if (!Array.isArray(target)) throw wrong(m, `expected a list, got ${describeValue(target)}`);
  for (const item of items) target.push(item);
}

function bytes(m: Machine, length: number): Uint8Array {
  const start = need(m, length);
  return new Uint8Array(m.data.buffer, m.data.byteOffset + start, length);
}

function text(m: Machine, length: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes(m, length));
  } catch (error) {
    throw error instanceof CheckpointError ? error : wrong(m, "expected text in UTF-8");
  }
}

/** Up to a line feed, without it. */
function line(m: Machine): string {
  let end = m.at;
  while (end < m.data.byteLength && m.data.getUint8(end) !== 0x0a) end++;
  const read = text(m, end - m.at);
  need(m, 1);
  return read;
}

const u8 = (m: Machine): number => m.data.getUint8(need(m, 1));
const u16 = (m: Machine): number => m.data.getUint16(need(m, 2), true);
const u32 = (m: Machine): number => m.data.getUint32(need(m, 4), true);

function u64(m: Machine): number {
  const length = m.data.getBigUint64(need(m, 8), true);
  if (length > BigInt(m.data.byteLength)) throw wrong(m, `expected ${length} bytes more, got the end`);
  return Number(length);
}

const narrow = (n: bigint): number | bigint =>
  n >= BigInt(Number.MIN_SAFE_INTEGER) && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n;

/** Little-endian two's complement. */
function long(m: Machine, length: number): number | bigint {
  if (length > MAX_INTEGER_BYTES)
    throw wrong(m, `expected an integer of at most ${MAX_INTEGER_BYTES} bytes, got ${length}`);
  let n = 0n;
  for (const byte of bytes(m, length).toReversed()) n = (n << 8n) | BigInt(byte);
  return narrow(length === 0 ? 0n : BigInt.asIntN(8 * length, n));
}

/** An integer in digits, as protocol 0 writes it; "00" and "01" are False and True. */
function digits(m: Machine): PyValue {
  const read = line(m);
  if (read === "00" || read === "01") return read === "01";
  if (!/^[+-]?\d{1,150}L?$/.test(read)) throw wrong(m, `expected an integer, got ${JSON.stringify(read.slice(0, 40))}`);
  return narrow(BigInt(read.replace(/^\+|L$/g, "")));
}

function float(m: Machine): number {
  const read = line(m);
  const value = Number(read);
  if (Number.isNaN(value) && !/^[+-]?nan$/i.test(read))
    throw wrong(m, `expected a number, got ${JSON.stringify(read.slice(0, 40))}`);
  return value;
}

/** Memos of honest pickles are numbered in turn, so none is above the length of the pickle. */
function put(m: Machine, index: number): void {
  if (index > m.data.byteLength) throw wrong(m, `expected at most ${m.data.byteLength} memos, got number ${index}`);
  m.memo.set(index, top(m));
}

function get(m: Machine, index: number): void {
  const value = m.memo.get(index);
  if (value === undefined) throw wrong(m, `expected memo ${index}, got none`);
  push(m, value);
}

/** The number of a memo in digits. */
function index(m: Machine): number {
  const value = digits(m);
  if (typeof value !== "number" || value < 0) throw wrong(m, "expected the number of a memo");
  return value;
}

function call(m: Machine): void {
  const args = pop(m);
  const f = pop(m);
  if (!isA("tuple", args)) throw wrong(m, `expected arguments, got ${describeValue(args)}`);
  push(m, container(m, m.rules.call(f, args.items)));
}

/** An instance with keyword arguments, which none of the allowed classes takes. */
function callWithNames(m: Machine): void {
  const names = pop(m);
  if (!isA("dict", names) || names.entries.size > 0) throw wrong(m, "expected a call without keyword arguments");
  call(m);
}

/** Gives an instance its fields. Those of a dict (`_metadata` of a state dict) and of a parameter say nothing about numbers. */
function build(m: Machine): void {
  const state = pop(m);
  const target = top(m);
  if (isA("object", target)) (target as PyObject).state = state;
  else if (!isA("dict", target) && !isA("tensor", target))
    throw wrong(m, `expected an object that takes fields, got ${describeValue(target)}`);
}

function stackGlobal(m: Machine): void {
  const name = pop(m);
  const module = pop(m);
  if (typeof name !== "string" || typeof module !== "string") throw wrong(m, "expected a module and a name");
  push(m, m.rules.global(`${module}.${name}`));
}

/** Text of Python 2, a byte a letter. */
const latin = (m: Machine, length: number): string => new TextDecoder("latin1").decode(bytes(m, length));

const STOP = 0x2e;

/** By opcode. What is missing is refused: extension registry, old instances, out-of-band buffers. */
const OPERATIONS: { readonly [code: number]: (m: Machine) => void } = {
  128: (m) => {
    const protocol = u8(m);
    if (protocol > 5) throw wrong(m, `expected protocol 5 or less, got ${protocol}`);
  },
  149: (m) => void need(m, 8), // FRAME
  40: (m) => {
    m.marks.push(m.stack);
    m.stack = container(m, []);
  },
  48: (m) => void pop(m), // POP
  49: (m) => void popMark(m),
  50: (m) => push(m, top(m)), // DUP
  78: (m) => push(m, null),
  136: (m) => push(m, true),
  137: (m) => push(m, false),
  73: (m) => push(m, digits(m)), // INT
  76: (m) => push(m, digits(m)), // LONG
  74: (m) => push(m, m.data.getInt32(need(m, 4), true)),
  75: (m) => push(m, u8(m)),
  77: (m) => push(m, u16(m)),
  138: (m) => push(m, long(m, u8(m))),
  139: (m) => push(m, long(m, u32(m))),
  70: (m) => push(m, float(m)),
  71: (m) => push(m, m.data.getFloat64(need(m, 8), false)),
  85: (m) => push(m, latin(m, u8(m))), // SHORT_BINSTRING
  84: (m) => push(m, text(m, u32(m))), // BINSTRING
  86: (m) => push(m, line(m)), // UNICODE
  88: (m) => push(m, text(m, u32(m))),
  140: (m) => push(m, text(m, u8(m))),
  141: (m) => push(m, text(m, u64(m))),
  66: (m) => push(m, bytes(m, u32(m))),
  67: (m) => push(m, bytes(m, u8(m))),
  142: (m) => push(m, bytes(m, u64(m))),
  150: (m) => push(m, bytes(m, u64(m))), // BYTEARRAY8
  93: (m) => push(m, container(m, [])),
  108: (m) => push(m, container(m, popMark(m))), // LIST
  97: (m) => {
    const item = pop(m);
    append(m, top(m), [item]);
  },
  101: (m) => {
    const items = popMark(m);
    append(m, top(m), items);
  },
  41: (m) => push(m, tuple(m, [])),
  133: (m) => push(m, tuple(m, [pop(m)])),
  134: (m) => push(m, tuple(m, [pop(m), pop(m)].reverse())),
  135: (m) => push(m, tuple(m, [pop(m), pop(m), pop(m)].reverse())),
  116: (m) => push(m, tuple(m, popMark(m))),
  125: (m) => push(m, dict(m)),
  100: (m) => push(m, dict(m, popMark(m))), // DICT
  115: (m) => {
    const value = pop(m);
    const key = pop(m);
    fill(m, top(m), [key, value]);
  },
  117: (m) => {
    const items = popMark(m);
    fill(m, top(m), items);
  },
  143: (m) => push(m, container(m, [])), // EMPTY_SET
  144: (m) => {
    const items = popMark(m);
    append(m, top(m), items); // ADDITEMS
  },
  145: (m) => push(m, container(m, popMark(m))), // FROZENSET
  113: (m) => put(m, u8(m)),
  114: (m) => put(m, u32(m)),
  112: (m) => put(m, index(m)),
  148: (m) => put(m, m.memo.size),
  104: (m) => get(m, u8(m)),
  106: (m) => get(m, u32(m)),
  103: (m) => get(m, index(m)),
  99: (m) => {
    const module = line(m);
    push(m, m.rules.global(`${module}.${line(m)}`));
  },
  147: stackGlobal,
  82: call, // REDUCE
  129: call, // NEWOBJ
  146: callWithNames, // NEWOBJ_EX
  98: build,
  81: (m) => push(m, m.rules.persistent(pop(m))), // BINPERSID
};
