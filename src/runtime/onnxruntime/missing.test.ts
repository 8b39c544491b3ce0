import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findLibrary } from "./native/find-library.ts";

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
    await expect(promise).rejects.toThrow(/help: .*npm install onnxruntime-node/);
  });

  test.each([
    [
      "linux",
      "x64",
      /no library of ONNX Runtime is installed for linux-x64\n {2}help: npm install sherpa-onnx-linux-x64$/,
    ],
    ["win32", "x64", /help: npm install sherpa-onnx-win-x64$/],
    ["linux", "s390x", /no npm package has the library of ONNX Runtime for linux-s390x\n {2}help: .*`library`/],
    ["sunos", "x64", /for sunos-x64/],
  ])("says what to install: cpu without a library on %s-%s", (platform, arch, message) => {
    expect(() => findLibrary({ platform, arch, folderOf: () => undefined })).toThrow(message);
  });

  test("loads no engine before it is asked for one", async () => {
    vi.doMock("koffi", explode("koffi"));
    vi.doMock("onnxruntime-node", explode("onnxruntime-node"));
    const { openDevice } = await fresh();
    expect((await openDevice("interpret")).description).toBe("interpreter (float64)");
  });
});

describe("the library of ONNX Runtime", () => {
  /** Packages with a file each, in a folder that is gone afterwards. */
  const installed = (
    packages: Readonly<Record<string, { version: string; file: string }>>,
    look: (root: string) => void,
  ) => {
    const root = mkdtempSync(join(tmpdir(), "flava-find-"));
    for (const [name, { version, file }] of Object.entries(packages)) {
      mkdirSync(join(root, name, file, ".."), { recursive: true });
      writeFileSync(join(root, name, "package.json"), JSON.stringify({ name, version }));
      writeFileSync(join(root, name, file), "");
    }
    try {
      look(root);
    } finally {
      rmSync(root, { recursive: true });
    }
  };
  const light = { version: "1.13.8", file: "libonnxruntime.so" };
  const full = (version: string) => ({ version, file: "bin/napi-v6/linux/x64/libonnxruntime.so.1" });
  const find = (root: string, names: readonly string[]) =>
    findLibrary({
      platform: "linux",
      arch: "x64",
      folderOf: (name) => (names.includes(name) ? join(root, name) : undefined),
    }).slice(root.length + 1);
  const both = ["onnxruntime-node", "sherpa-onnx-linux-x64"];

  test("is that of onnxruntime-node where it is installed, and else that of sherpa-onnx", () =>
    installed({ "onnxruntime-node": full("1.30.0"), "sherpa-onnx-linux-x64": light }, (root) => {
      expect(find(root, both)).toBe("onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1");
      expect(find(root, both.slice(1))).toBe("sherpa-onnx-linux-x64/libonnxruntime.so");
    }));

  test("is never that of an onnxruntime-node too old for the C calls, which another package may have brought", () =>
    installed({ "onnxruntime-node": full("1.21.0"), "sherpa-onnx-linux-x64": light }, (root) => {
      expect(find(root, both)).toBe("sherpa-onnx-linux-x64/libonnxruntime.so");
    }));
});
