import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { i32, i32x4, type Local, repeat, v128 } from "./instructions.ts";
import { encodeModule, type Func, func } from "./module.ts";

/** Compiles a function and gives its memory, of two pages, as 32-bit numbers. */
function run(f: Func, ...args: number[]): Int32Array {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule([f], 2)));
  const memory = exports.memory as WebAssembly.Memory;
  memory.grow(2);
  (exports[f.name] as (...args: number[]) => void)(...args);
  return new Int32Array(memory.buffer);
}

const splatAt = (address: Local, value: readonly number[]): readonly number[] =>
  v128.store(address.get, i32x4.splat(value));

describe("encodeModule", () => {
  it("encodes any 32-bit constant", () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.integer({ min: -130, max: 130 })), (value) => {
        const put = func("put", (scope) => [splatAt(scope.param(), i32.const(value))]);
        expect([...run(put, 16).subarray(3, 9)]).toEqual([0, value, value, value, value, 0]);
      }),
    );
  });

  it("encodes any offset of a load", () => {
    for (const offset of [0, 4, 124, 128, 132, 16380, 16384, 130000]) {
      const copy = func("copy", (scope) => {
        const [from, to] = [scope.param(), scope.param()];
        return [splatAt(from, i32.const(77)), v128.store(to.get, v128.load32Splat(i32.const(0), offset))];
      });
      expect(run(copy, offset, 2000)[500]).toBe(77);
    }
  });

  it("keeps parameters and locals of both types apart, also past 127 of them", () => {
    const mix = func("mix", (scope) => {
      const [out, a] = [scope.param(), scope.param()];
      const many = Array.from({ length: 150 }, () => scope.local("i32"));
      const vector = scope.local("v128");
      return [
        ...many.map((local, i) => local.set(i32.add(a.get, i32.const(i)))),
        vector.set(i32x4.splat(many[149]!.get)),
        v128.store(out.get, i32x4.add(vector.get, i32x4.splat(many[3]!.get))),
      ];
    });
    expect(run(mix, 0, 1000)[0]).toBe(1000 + 149 + 1000 + 3);
  });
});

describe("repeat", () => {
  it("runs its body as often as the counter says, also never", () => {
    const count = func("count", (scope) => {
      const [out, times, sum] = [scope.param(), scope.param(), scope.local("i32")];
      return [repeat(times, sum.set(i32.add(sum.get, i32.const(5)))), splatAt(out, i32.add(sum.get, times.get))];
    });
    for (const times of [0, 1, 2, 1000]) expect(run(count, 0, times)[0]).toBe(5 * times);
  });
});
