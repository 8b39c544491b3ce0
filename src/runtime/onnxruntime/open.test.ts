import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const explode = (name: string) => () => {
  throw new Error(`${name} has no binary here`);
};

/** A fresh copy of the room, so that the packages mocked below are asked for again. */
const fresh = async () => ({ ...(await import("./open.ts")), ...(await import("../../errors.ts")) });

beforeEach(() => vi.resetModules());
afterEach(() => {
  vi.doUnmock("koffi");
  vi.doUnmock("onnxruntime-node");
});

describe("openEngine", () => {
  test("takes the native engine by default", async () => {
    const { openEngine } = await fresh();
    expect((await openEngine()).name).toBe("ort-native");
  });

  test("tells why it falls back to the JavaScript engine", async () => {
    vi.doMock("koffi", explode("koffi"));
    const { openEngine, EngineError } = await fresh();
    const onFallback = vi.fn();
    expect((await openEngine({ onFallback })).name).toBe("ort-js");
    const reason = onFallback.mock.calls[0]?.[0];
    expect(reason).toBeInstanceOf(EngineError);
    expect(reason.message).toMatch(/koffi does not load here \(.+-.+\)/);
    expect(reason.help).toMatch(/npm install koffi/);
  });

  test("does not fall back when the native engine was asked for", async () => {
    vi.doMock("koffi", explode("koffi"));
    const { openEngine, EngineError } = await fresh();
    await expect(openEngine({ engine: "ort-native" })).rejects.toThrow(EngineError);
    await expect(openEngine({ library: "none.so" })).rejects.toThrow(/no library at none\.so/);
  });

  test("explains a missing onnxruntime-node", async () => {
    vi.doMock("onnxruntime-node", explode("onnxruntime-node"));
    const { openEngine, EngineError } = await fresh();
    const promise = openEngine({ engine: "ort-js" });
    await expect(promise).rejects.toThrow(EngineError);
    await expect(promise).rejects.toThrow(/help: npm install onnxruntime-node/);
  });
});
