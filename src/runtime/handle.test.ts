import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { EngineError } from "../errors.ts";
import { Handle, watch } from "./handle.ts";

describe("Handle", () => {
  test("frees once, at dispose", () => {
    let freed = 0;
    const handle = new Handle("thing", () => freed++);
    handle.check();
    expect(freed).toBe(0);
    handle.dispose();
    handle.dispose();
    expect(freed).toBe(1);
    expect(() => handle.check()).toThrow(EngineError);
    expect(() => handle.enter()).toThrow(/thing: used after dispose/);
  });

  test("waits for the last use", () => {
    let freed = 0;
    const handle = new Handle("thing", () => freed++);
    handle.enter();
    handle.enter();
    handle.dispose();
    handle.leave();
    expect(freed).toBe(0);
    handle.leave();
    expect(freed).toBe(1);
  });
});

describe("watch", () => {
  test("frees what was forgotten", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    let freed = 0;
    const forget = (): void => {
      for (let i = 0; i < 100; i++) watch({}, new Handle("thing", () => freed++));
    };
    forget();
    for (let i = 0; i < 100 && freed < 99; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // The last object may still lie on the stack.
    expect(freed).toBeGreaterThanOrEqual(99);
  });
});
