import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GraphSpec, onnxModel } from "../../../test/support/onnx-model.ts";
import { EngineError } from "../../errors.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import type { Buffer } from "../session.ts";
import { openJsEngine } from "./js.ts";
import { findLibrary } from "./native/find-library.ts";
import { openNativeEngine } from "./native.ts";
import { summarizeProfile } from "./profile.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "flava-native-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** x·w·w·…·w with `count` products of (n, n) matrices. */
const chain = (count: number, n: number): GraphSpec => ({
  inputs: [
    ["x0", "float32", [n, n]],
    ["w", "float32", [n, n]],
  ],
  outputs: [[`x${count}`, "float32", [n, n]]],
  nodes: Array.from({ length: count }, (_, i) => ({ op: "MatMul", inputs: [`x${i}`, "w"], outputs: [`x${i + 1}`] })),
});

const identityMatrix = (n: number): Tensor => {
  const data = new Float32Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return tensor("float32", [n, n], data);
};

const ramp = (n: number): Tensor =>
  tensor(
    "float32",
    [n, n],
    Float32Array.from({ length: n * n }, (_, i) => i % 97),
  );

describe("a run of the native engine", () => {
  test("leaves the event loop free", async () => {
    const [count, n] = [40, 512];
    const engine = await openNativeEngine();
    const session = await engine.createSession(onnxModel(chain(count, n)), { threads: 1 });
    const x = ramp(n);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const result = await session.run({ x0: x, w: identityMatrix(n) }, { [`x${count}`]: "host" });
    clearInterval(timer);
    expect((result[`x${count}`] as Tensor).data).toEqual(x.data);
    expect(ticks).toBeGreaterThan(3);
    session.dispose();
  });

  test("ends at an abort with the signal's reason, and the session works afterwards", async () => {
    const [count, n] = [150, 256];
    const engine = await openNativeEngine();
    const session = await engine.createSession(onnxModel(chain(count, n)), { threads: 1 });
    const out = `x${count}`;
    const feeds = { x0: engine.upload(ramp(n)), w: engine.upload(identityMatrix(n)) };
    const target = engine.allocate("float32", [n, n]);
    const controller = new AbortController();
    const running = session.run(feeds, { [out]: target }, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("changed my mind")));
    await expect(running).rejects.toThrow("changed my mind");
    await session.run(feeds, { [out]: target }, { signal: new AbortController().signal });
    expect((await target.read()).data).toEqual(ramp(n).data);
    session.dispose();
  });

  test("does not grow the memory of the process", async () => {
    const n = 256;
    const engine = await openNativeEngine();
    const session = await engine.createSession(onnxModel(chain(2, n)), { threads: 1 });
    const [x0, w] = [ramp(n), identityMatrix(n)];
    const kept = engine.upload(w);
    const once = async (): Promise<void> => {
      await session.run({ x0, w }, { x2: "host" });
      const uploaded = engine.upload(x0);
      const { x2 } = await session.run({ x0: uploaded, w: kept }, { x2: "buffer" });
      uploaded.dispose();
      (x2 as Buffer).dispose();
    };
    for (let i = 0; i < 30; i++) await once();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 200; i++) await once();
    // Each of the three arrays of a round would leave 50 MiB behind if it were never freed.
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 2 ** 20);
    session.dispose();
  });

  test("gives the memory of large buffers back at dispose", async () => {
    const engine = await openNativeEngine();
    const block = tensor("float32", [2 ** 21], new Float32Array(2 ** 21).fill(1));
    const before = process.memoryUsage().rss;
    // 400 MiB, without a pause for the garbage collector.
    for (let i = 0; i < 50; i++) {
      const buffer = engine.upload(block);
      buffer.dispose();
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 2 ** 20);
  });

  test("takes arrays over shared memory", async () => {
    const engine = await openNativeEngine();
    const session = await engine.createSession(onnxModel(chain(1, 2)));
    const x0 = tensor("float32", [2, 2], new Float32Array(new SharedArrayBuffer(16)));
    x0.data.set([1, 2, 3, 4]);
    const { x1 } = await session.run({ x0, w: identityMatrix(2) }, { x1: "host" });
    expect(Array.from((x1 as Tensor).data as Float32Array)).toEqual([1, 2, 3, 4]);
  });
});

describe("a session of the native engine", () => {
  test("comes from a file, with external data beside it", async () => {
    const weight = Float32Array.of(1, 2, 3, 4);
    const graph: GraphSpec = {
      inputs: [["x", "float32", [2, 2]]],
      outputs: [["y", "float32", [2, 2]]],
      nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
      external: { w: { dtype: "float32", shape: [2, 2], file: "w.bin" } },
    };
    const path = join(folder, "modèle.onnx");
    writeFileSync(path, onnxModel(graph));
    writeFileSync(join(folder, "w.bin"), new Uint8Array(weight.buffer));
    const session = await (await openNativeEngine()).createSession({ path });
    const { y } = await session.run({ x: identityMatrix(2) }, { y: "host" });
    expect((y as Tensor).data).toEqual(weight);
  });

  test.each(["ort-native", "ort-js"] as const)("writes a profile that sums up, by %s", async (name) => {
    const engine = await (name === "ort-js" ? openJsEngine() : openNativeEngine());
    const profile = join(folder, `profile-${name}`);
    const session = await engine.createSession(onnxModel(chain(3, 64)), { profile, optimization: "none" });
    const feeds = { x0: ramp(64), w: identityMatrix(64) };
    for (let i = 0; i < 4; i++) await session.run(feeds, { x3: "host" });
    const path = session.endProfiling();
    expect(path.startsWith(profile)).toBe(true);
    expect(() => session.endProfiling()).toThrow(EngineError);
    const summary = summarizeProfile(readFileSync(path, "utf8"), { skipRuns: 1 });
    expect(summary.runs).toBe(3);
    expect(summary.byOp.map((row) => [row.name, row.calls])).toEqual([["MatMul", 9]]);
    expect(summary.byNode.map((row) => row.name).sort()).toEqual(["MatMul_x1", "MatMul_x2", "MatMul_x3"]);
    expect(summary.nodeMs).toBeLessThanOrEqual(summary.runMs);
  });

  test("writes the rewritten model", async () => {
    const optimizedModelPath = join(folder, "optimized.onnx");
    await (await openNativeEngine()).createSession(onnxModel(chain(2, 4)), { optimizedModelPath });
    expect(existsSync(optimizedModelPath)).toBe(true);
  });

  test("shares the memory of its activations with other sessions where asked to", async () => {
    const n = 1024;
    const depth = 24;
    // The sum needs every activation of 4 MiB: about 100 MiB a session.
    const deep: GraphSpec = {
      inputs: [["a0", "float32", [n, n]]],
      outputs: [["sum", "float32", [n, n]]],
      nodes: [
        ...Array.from({ length: depth }, (_, i) => ({ op: "Neg", inputs: [`a${i}`], outputs: [`a${i + 1}`] })),
        { op: "Sum", inputs: Array.from({ length: depth }, (_, i) => `a${i + 1}`), outputs: ["sum"] },
      ],
    };
    const engine = await openNativeEngine();
    const a0 = engine.upload(ramp(n));
    const sum = engine.allocate("float32", [n, n]);
    const growth = async (arena: "shared" | "session"): Promise<number> => {
      const options = { arena, threads: 1, optimization: "none" } as const;
      const sessions = await Promise.all([1, 2, 3].map(() => engine.createSession(onnxModel(deep), options)));
      await sessions[0]!.run({ a0 }, { sum });
      const before = process.memoryUsage().rss;
      for (const session of sessions) for (let i = 0; i < 2; i++) await session.run({ a0 }, { sum });
      const grown = process.memoryUsage().rss - before;
      for (const session of sessions) session.dispose();
      return grown / 2 ** 20;
    };
    expect(await growth("shared")).toBeLessThan(40);
    expect(await growth("session")).toBeGreaterThan(150);
    expect((await sum.read()).data.every((x) => x === 0)).toBe(true);
  });

  test("can be made while others are, and stopped by a signal", async () => {
    const engine = await openNativeEngine();
    const [small, large] = [onnxModel(chain(50, 8)), onnxModel(chain(1500, 8))]; // large: not made before it is stopped
    const controller = new AbortController();
    const all = Array.from({ length: 6 }, (_, i) =>
      i === 5 ? engine.createSession(large, { signal: controller.signal }) : engine.createSession(small),
    );
    controller.abort(new Error("stop"));
    await expect(all[5]).rejects.toThrow("stop");
    for (const session of await Promise.all(all.slice(0, 5))) session.dispose();
  });
});

describe("openNativeEngine", () => {
  test("explains a library that is missing, of another kind, or of another platform", async () => {
    const text = join(folder, "libonnxruntime.so.1");
    writeFileSync(text, "not a library");
    const other = createRequire(import.meta.url)
      .resolve("onnxruntime-node")
      .replace(/dist.*/, "");
    await expect(openNativeEngine({ library: join(folder, "none.so") })).rejects.toThrow(/no library at .*none\.so/);
    await expect(openNativeEngine({ library: text })).rejects.toThrow(EngineError);
    await expect(openNativeEngine({ library: other })).rejects.toThrow(EngineError);
    await expect(openNativeEngine({ library: text })).rejects.toThrow(/help: check that it is for/);
  });

  test("opens the same library once", async () => {
    const [a, b] = await Promise.all([openNativeEngine(), openNativeEngine({ library: findLibrary() })]);
    const buffer = a.upload(identityMatrix(2));
    const session = await b.createSession(onnxModel(chain(1, 2)));
    const { x1 } = await session.run({ x0: buffer, w: buffer }, { x1: "host" });
    expect((x1 as Tensor).data).toEqual(identityMatrix(2).data);
  });
});

describe("a process that used the native engine", () => {
  const dist = fileURLToPath(new URL("../../../dist/", import.meta.url));
  const script = (end: string): string => `
    import { openNativeEngine } from ${JSON.stringify(`${dist}runtime/onnxruntime/native.js`)};
    const engine = await openNativeEngine();
    const model = Buffer.from(${JSON.stringify(globalThis.Buffer.from(onnxModel(chain(300, 256))).toString("base64"))}, "base64");
    const session = await engine.createSession(new Uint8Array(model), { threads: 2 });
    const x = { dtype: "float32", shape: [256, 256], data: new Float32Array(65536) };
    const buffer = engine.upload(x);
    ${end}`;
  const exit = (end: string) => {
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script(end)], { encoding: "utf8" });
    return { status: child.status, signal: child.signal, stdout: child.stdout, stderr: child.stderr };
  };
  const run = 'session.run({ x0: x, w: buffer }, { x300: "host" })';

  test.each([
    ["by itself, nothing disposed", `await ${run}; console.log("done");`],
    ["by itself, everything disposed", `await ${run}; session.dispose(); buffer.dispose(); console.log("done");`],
    ["by process.exit", `await ${run}; console.log("done"); process.exit(0);`],
    ["by process.exit during a run", `${run}; setImmediate(() => { console.log("done"); process.exit(0); });`],
    ["after a rejected run", `await session.run({}, { x300: "host" }).catch(() => console.log("done"));`],
    ["with a run that nobody awaits", `${run}.then(() => console.log("done"));`],
  ])("ends cleanly %s", (_, end) => {
    expect(exit(end)).toEqual({ status: 0, signal: null, stdout: "done\n", stderr: "" });
  });
});
