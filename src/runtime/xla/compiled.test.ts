/** What is kept of XLA's compiling, what a device's memory must hold, and plugins that are refused before they do harm. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { xla } from "../../../test/support/xla-device.ts";
import { EngineError } from "../../errors.ts";
import { type Graph, graph, input, matmul, mul, sum } from "../../graph/index.ts";
import { importKoffi } from "../../koffi.ts";
import { fromNumbers, toNumbers } from "../../tensor/index.ts";
import type { XlaBuffer } from "./buffer.ts";
import { openXla } from "./device.ts";
import { askedBytes, checkFits, fullMessage } from "./memory.ts";
import { Pjrt } from "./pjrt.ts";
import { tryPlugin } from "./trial.ts";

describe.skipIf(!xla)("compiled programs on disk", () => {
  let folder: string;
  const library = xla?.client.pjrt.path;
  const open = (more = {}) =>
    openXla("cpu", { library, devices: 2, trial: false, compiled: { folder, minMs: 0, ...more } });
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): unknown => warnings.push(message);
  const tripled = (times = 3): Graph => graph("tripled", { y: mul(input("x", [3]), times) });
  const kept = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith(".xla"));

  /** Runs it, its input donated. */
  async function run(g: Graph, more = {}): Promise<number[]> {
    const device = await open(more);
    const { session } = await device.prepare({ graph: g, updates: { x: "y" } });
    using x = device.upload(fromNumbers([1, 2, 3], [3])) as XlaBuffer;
    await session.run({ x }, { y: x });
    session.dispose();
    return toNumbers(await x.read());
  }

  beforeEach(async () => {
    folder = join(await temporaryFolder(), "compiled");
    warnings.length = 0;
    process.on("warning", onWarning);
  });
  afterEach(() => {
    process.off("warning", onWarning);
    vi.restoreAllMocks();
  });

  it("are taken from there by whoever compiles the same, and run as they did", async () => {
    const compile = vi.spyOn(xla!.client, "compile");
    expect(await run(tripled())).toEqual([3, 6, 9]);
    expect(await kept()).toHaveLength(1);
    expect(await run(tripled())).toEqual([3, 6, 9]);
    expect(compile).toHaveBeenCalledTimes(1);
    expect(await run(tripled(4))).toEqual([4, 8, 12]);
    expect(await kept()).toHaveLength(2);
    expect(await Promise.all([run(tripled(6)), run(tripled(6))])).toEqual([
      [6, 12, 18],
      [6, 12, 18],
    ]);
    expect(await kept()).toHaveLength(3);
    expect(await run(tripled(5), { minMs: 1e9 })).toEqual([5, 10, 15]);
    expect(await kept()).toHaveLength(3);
  });

  it("are compiled again, with a warning, where a file is damaged, cut off, or no program", async () => {
    await run(tripled());
    const path = join(folder, (await kept())[0]!);
    const right = await readFile(path);
    const content = Buffer.from("no program");
    const forged = Buffer.concat([right.subarray(0, 21), createHash("sha256").update(content).digest(), content]);
    const compile = vi.spyOn(xla!.client, "compile");
    for (const wrong of [Buffer.from(right).fill(7, 1000, 1010), right.subarray(0, 40), forged, Buffer.of()]) {
      await writeFile(path, wrong);
      expect(await run(tripled())).toEqual([3, 6, 9]);
    }
    expect(compile).toHaveBeenCalledTimes(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(
      warnings.filter((line) => /expected a compiled program, got .*: compiling tripled again/.test(line)),
    ).toHaveLength(4);
    expect((await readFile(path)).length).toBe(right.length);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it("stay, and are not compiled again, where the device has no room for them", async () => {
    await run(tripled());
    const compile = vi.spyOn(xla!.client, "compile");
    vi.spyOn(xla!.client, "deserialize").mockRejectedValueOnce(
      new EngineError("tripled: expected a program that fits"),
    );
    await expect(run(tripled())).rejects.toThrow(/expected a program that fits/);
    expect(await kept()).toHaveLength(1);
    expect(await run(tripled())).toEqual([3, 6, 9]);
    expect(compile).not.toHaveBeenCalled();
  });

  it("keep to their room: what was not used for longest goes, and what killed processes left", async () => {
    await run(tripled());
    const [first] = await kept();
    await utimes(join(folder, first!), 1, 1);
    await writeFile(join(folder, "x.xla.1-0.partial"), "half");
    await utimes(join(folder, "x.xla.1-0.partial"), 1, 1);
    const { length } = await readFile(join(folder, first!));
    await run(tripled(4), { maxBytes: Math.round(1.5 * length) });
    expect(await readdir(folder)).toHaveLength(1);
    expect(await kept()).not.toContain(first);
  });

  it("are not needed: where nothing can be written all runs as before, with a warning", async () => {
    await writeFile(folder, "a file");
    expect(await run(tripled())).toEqual([3, 6, 9]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.join()).toMatch(/tripled is compiled, and could not be kept/);
    expect(await run(tripled(), { folder: undefined, minMs: 1e9 })).toEqual([3, 6, 9]);
  });
});

describe("memory", () => {
  const GIB = 2 ** 30;

  it.skipIf(!xla)("that a program would need beyond all there is is refused before its first run", async () => {
    const n = 2 ** 20;
    const huge = graph("huge", { y: matmul(input("a", [n, 1]), input("b", [1, n])) });
    await expect(xla!.prepare({ graph: huge })).rejects.toThrow(
      /huge: expected a program that fits cpu's memory of [\d.]+ GiB, got one that takes 4096 GiB: .*help: lower the batch/s,
    );
    const { session } = await xla!.prepare({ graph: graph("small", { y: sum(input("a", [4])) }) });
    session.dispose();
  });

  it("is counted without what results take over from inputs", () => {
    const program = { inputs: 9 * GIB, outputs: 9 * GIB, shared: 8 * GIB, temporary: 5 * GIB };
    const stats = { inUse: 0, peak: undefined, limit: 16 * GIB };
    expect(() => checkFits("step", program, "cuda", stats)).not.toThrow();
    expect(() => checkFits("step", { ...program, temporary: 8 * GIB }, "cuda", stats)).toThrow(EngineError);
    expect(() => checkFits("step", { ...program, temporary: 8 * GIB }, "cuda", undefined)).not.toThrow();
  });

  it("that is full is told with what was asked for and what there is", () => {
    const stats = { inUse: 15 * GIB, peak: undefined, limit: 16 * GIB };
    const said = "Out of memory while trying to allocate 2.50GiB.\nAllocation dump";
    expect(fullMessage(said, "cuda", stats)).toBe(
      "the memory of cuda is full: 2.50 GiB asked for, 1.00 GiB of 16 GiB free (Out of memory while trying to allocate 2.50GiB.)",
    );
    expect(askedBytes("Out of memory allocating 4294967296 bytes.")).toBe(2 ** 32);
    expect(askedBytes("Allocator (GPU_0_bfc) ran out of memory trying to allocate 512.0KiB (rounded to 524288)")).toBe(
      2 ** 19,
    );
    expect(askedBytes("RESOURCE_EXHAUSTED")).toBeUndefined();
  });
});

describe("a plugin", () => {
  it("of an older PJRT than ours is refused", async () => {
    const koffi = await importKoffi("test");
    const table = new BigUint64Array(5 + 60);
    table[0] = BigInt(8 * table.length);
    new Int32Array(table.buffer).set([0, 12], 8);
    expect(() => new Pjrt(koffi, "old.so", koffi.address(table) as bigint)).toThrow(
      /old\.so: expected PJRT 0\.x with at least \d+ functions, got 0\.12 with 60\n {2}help: .*flava engine add/s,
    );
  });

  it.skipIf(!xla)("that ends its process is refused in words, and this process goes on", async () => {
    const folder = await temporaryFolder();
    const trial = { found: { path: xla!.client.pjrt.path, needs: [] }, options: { cpu_device_count: 1 }, folder };
    const before = process.env.XLA_FLAGS;
    process.env.XLA_FLAGS = "--xla_no_such_flag";
    try {
      await expect(tryPlugin(trial)).rejects.toThrow(
        /expected a plugin that can be opened, got one that ended its process with .*xla_no_such_flag.*look at XLA_FLAGS/s,
      );
      expect(await readdir(folder)).toEqual([]);
      process.env.XLA_FLAGS = before;
      await tryPlugin(trial);
      expect(await readdir(folder)).toEqual([expect.stringMatching(/\.tried$/)]);
    } finally {
      process.env.XLA_FLAGS = before;
    }
  });

  it.skipIf(!xla)(
    "leaves no broken file where the process that compiles with it is killed, and the next process works",
    async () => {
      const folder = join(await temporaryFolder(), "compiled");
      const script = fileURLToPath(new URL("../../../test/support/compile-on-xla.mjs", import.meta.url));
      const dist = fileURLToPath(new URL("../../../dist/", import.meta.url));
      const run = (killed: boolean) =>
        spawnSync(process.execPath, [script, dist, xla!.client.pjrt.path, folder], {
          encoding: "utf8",
          ...(killed ? { timeout: 900, killSignal: "SIGKILL" } : {}),
        });
      run(true);
      const names = existsSync(folder) ? await readdir(folder) : [];
      expect(names.filter((name) => name.endsWith(".xla")).length).toBeLessThanOrEqual(1);
      const { status, stdout, stderr } = run(false);
      expect(status, stderr).toBe(0);
      expect(stdout).toBe("[3,6,9]");
      expect(stderr).not.toMatch(/damaged/);
    },
  );
});
