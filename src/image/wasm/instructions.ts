/**
 * The WebAssembly instructions that the kernel needs: each is a function from the code of its operands to its own, so that nested calls
 * read like the expression they compute (WebAssembly Core Specification 2.0, §5.4).
 */

/** Instructions as bytes, operands before operators. */
export type Code = readonly number[];

export type ValueType = "i32" | "v128";

/** A parameter or a local variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

export function localVariable(index: number): Local {
  return { get: [0x20, ...unsigned(index)], set: (value) => [...value, 0x21, ...unsigned(index)] };
}

type Binary = (a: Code, b: Code) => Code;
type Unary = (a: Code) => Code;
/** An access to memory at an address plus a constant. */
type Load = (address: Code, offset?: number) => Code;

const binary = (...opcode: number[]): Binary => {
  return (a, b) => [...a, ...b, ...opcode];
};
const unary = (...opcode: number[]): Unary => {
  return (a) => [...a, ...opcode];
};
/** Alignment is a hint; 0 promises none. */
const load = (...opcode: number[]): Load => {
  return (address, offset = 0) => [...address, ...opcode, 0, ...unsigned(offset)];
};
const simd = (number: number): number[] => [0xfd, ...unsigned(number)];

interface I32 {
  const(value: number): Code;
  readonly load: Load;
  /** One byte. */
  readonly load8U: Load;
  store(address: Code, value: Code, offset?: number): Code;
  readonly add: Binary;
  readonly mul: Binary;
  readonly and: Binary;
  readonly shl: Binary;
  readonly shrU: Binary;
}

export const i32: I32 = {
  const: (value) => [0x41, ...signed(value)],
  load: load(0x28),
  load8U: load(0x2d),
  store: (address, value, offset = 0) => [...address, ...value, 0x36, 0, ...unsigned(offset)],
  add: binary(0x6a),
  mul: binary(0x6c),
  and: binary(0x71),
  shl: binary(0x74),
  shrU: binary(0x76),
};

interface V128 {
  readonly load: Load;
  /** Four bytes, repeated in all lanes. */
  readonly load32Splat: Load;
  store(address: Code, value: Code): Code;
  /** Stores four bytes of `value`. */
  store32Lane(address: Code, value: Code, lane: number): Code;
  const(bytes: readonly number[]): Code;
}

export const v128: V128 = {
  load: load(...simd(0x00)),
  load32Splat: load(...simd(0x09)),
  store: (address, value) => [...address, ...value, ...simd(0x0b), 0, 0],
  store32Lane: (address, value, lane) => [...address, ...value, ...simd(0x5a), 0, 0, lane],
  const: (bytes) => [...simd(0x0c), ...bytes],
};

interface I8x16 {
  /** Bytes of `a` (0–15) and `b` (16–31), chosen by constants. */
  shuffle(a: Code, b: Code, lanes: readonly number[]): Code;
  /** Bytes of `a`, chosen by the bytes of `b`; 0 where these are above 15. */
  readonly swizzle: Binary;
  /** The 16-bit lanes of `a`, then those of `b`, clipped to 0..255. */
  readonly narrowU: Binary;
}

export const i8x16: I8x16 = {
  shuffle: (a, b, lanes) => [...a, ...b, ...simd(0x0d), ...lanes],
  swizzle: binary(...simd(0x0e)),
  narrowU: binary(...simd(0x66)),
};

interface I16x8 {
  /** The 32-bit lanes of `a`, then those of `b`, clipped to 16 bits. */
  readonly narrowS: Binary;
  /** The first eight bytes. */
  readonly extendLowU: Unary;
  /** The last eight bytes. */
  readonly extendHighU: Unary;
}

export const i16x8: I16x8 = {
  narrowS: binary(...simd(0x85)),
  extendLowU: unary(...simd(0x89)),
  extendHighU: unary(...simd(0x8a)),
};

interface I32x4 {
  readonly splat: Unary;
  readonly shl: Binary;
  readonly shrS: Binary;
  readonly add: Binary;
  /** a₀·b₀ + a₁·b₁ of neighbouring 16-bit lanes. */
  readonly dot: Binary;
}

export const i32x4: I32x4 = {
  splat: unary(...simd(0x11)),
  shl: binary(...simd(0xab)),
  shrS: binary(...simd(0xac)),
  add: binary(...simd(0xae)),
  dot: binary(...simd(0xba)),
};

const EMPTY = 0x40;

/** Runs `body` as often as `counter` says, and leaves 0 in it. */
export function repeat(counter: Local, ...body: readonly Code[]): Code {
  const skipIfZero = [...counter.get, 0x45, 0x0d, 0];
  const again = [...counter.set(i32.add(counter.get, i32.const(-1))), ...counter.get, 0x0d, 0];
  return [0x02, EMPTY, ...skipIfZero, 0x03, EMPTY, ...body.flat(), ...again, 0x0b, 0x0b];
}

/** LEB128 of a number ≥ 0. */
export function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}
