/** The binary format of a WebAssembly module around the code of its functions (WebAssembly Core Specification 2.0, §5.5). */
import { type Code, type Local, localVariable, unsigned, type ValueType } from "./instructions.ts";

/** A function under construction: 32-bit parameters first, then locals. */
export interface Scope {
  param(): Local;
  local(type: ValueType): Local;
}

export interface Func {
  readonly name: string;
  readonly params: number;
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** A function without results, exported under its name. */
export function func(name: string, build: (scope: Scope) => readonly Code[]): Func {
  let params = 0;
  const locals: ValueType[] = [];
  const param = (): Local => localVariable(params++);
  const local = (type: ValueType): Local => localVariable(params + locals.push(type) - 1);
  const body = build({ param, local }).flat();
  return { name, params, locals, body };
}

const TYPE: Readonly<Record<ValueType, number>> = { i32: 0x7f, v128: 0x7b };

/** The bytes of a module with these functions and one exported memory, empty at first, which can grow to `maxPages` of 64 KiB. */
export function encodeModule(functions: readonly Func[], maxPages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params }) => [0x60, ...vector(Array<Code>(params).fill([TYPE.i32])), ...vector([])]);
  const names = functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // \0asm, version 1
    ...section(1, types),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(5, [[0x01, ...unsigned(0), ...unsigned(maxPages)]]),
    ...section(7, [[...text("memory"), 0x02, ...unsigned(0)], ...names]),
    ...section(10, functions.map(encodeBody)),
  ]);
}

function encodeBody({ locals, body }: Func): Code {
  const code = [...vector(locals.map((type) => [1, TYPE[type]])), ...body, 0x0b];
  return [...unsigned(code.length), ...code];
}

function section(id: number, items: readonly Code[]): Code {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

const vector = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const text = (name: string): number[] => vector([...name].map((letter) => [letter.charCodeAt(0)]));
