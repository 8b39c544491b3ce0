import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const explode = (name: string) => () => {
  throw new Error(`${name} has no binary here`);
};

/** A fresh copy of the room, so that the packages mocked below are asked for again. */
const fresh = async () => ({ ...(await import("../index.ts")), ...(await import("../../errors.ts")) });

beforeEach(() => vi.resetModules());
afterEach(() => {
  vi.doUnmock("koffi");
  vi.doUnmock("onnxruntime-node");
});

describe("a device whose engine is missing", () => {
  test("says so instead of taking another: cpu without koffi", async () => {
    vi.doMock("koffi", explode("koffi"));
    const { openDevice, EngineError } = await fresh();
    const promise = openDevice("cpu");
    await expect(promise).rejects.toThrow(EngineError);
    await expect(promise).rejects.toThrow(/koffi does not load here \(.+-.+\).*help: npm install koffi/s);
  });

  test("says what to install: cpu-js without onnxruntime-node", async () => {
    vi.doMock("onnxruntime-node", explode("onnxruntime-node"));
    const { openDevice, EngineError } = await fresh();
    const promise = openDevice("cpu-js");
    await expect(promise).rejects.toThrow(EngineError);
    await expect(promise).rejects.toThrow(/help: npm install onnxruntime-node/);
  });

  test("loads no engine before it is asked for one", async () => {
    vi.doMock("koffi", explode("koffi"));
    vi.doMock("onnxruntime-node", explode("onnxruntime-node"));
    const { openDevice } = await fresh();
    expect((await openDevice("interpret")).description).toBe("interpreter (float64)");
  });
});
