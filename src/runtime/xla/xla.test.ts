/** XLA's plugins as devices: where they are looked for, what is refused with which words, and state donated to the runs that replace it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { xla } from "../../../test/support/xla-device.ts";
import { EngineError } from "../../errors.ts";
import { add, constant, graph, input, matmul, mul, sum } from "../../graph/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../tensor/index.ts";
import { compile, openDevice, State } from "../index.ts";
import type { XlaBuffer } from "./buffer.ts";
import { openXla } from "./device.ts";
import { findPlugin } from "./find.ts";
import { PjrtError } from "./pjrt.ts";

describe("findPlugin", () => {
  let folder: string;
  const make = async (path: string): Promise<string> => {
    const file = join(folder, path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, "");
    return file;
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-plugins-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("names every place where it looked, and what to install", async () => {
    const options = { engines: join(folder, "nothing"), python: [join(folder, "neither")] };
    await expect(findPlugin("cuda", options)).rejects.toThrow(
      /xla:cuda: no plugin found: .*xla_cuda13.*nothing.*neither.*help: flava engine add xla-cuda13/s,
    );
  });

  it("takes an unpacked wheel before Python's packages, and what NVIDIA's wheels put beside it", async () => {
    const python = join(folder, "site-packages");
    const plugin = await make("site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so");
    const blas = await make("site-packages/nvidia/cu13/lib/libcublas.so.13");
    await make("site-packages/nvidia/cu13/lib/libcublas.so.13.txt");
    await make("site-packages/nvidia/cu13/nvvm/libdevice/libdevice.10.bc");
    const options = { engines: join(folder, "engines"), python: [python] };
    const cudaFolder = join(python, "nvidia/cu13");
    expect(await findPlugin("cuda", options)).toEqual({ path: plugin, needs: [blas], cudaFolder });
    const unpacked = await make("engines/jax-cuda13-pjrt/jax_plugins/xla_cuda13/xla_cuda_plugin.so");
    expect(await findPlugin("cuda", options)).toMatchObject({ path: unpacked, needs: [] });
  });
});

describe("openXla", () => {
  it("refuses a path without a plugin, and a file that is none", async () => {
    await expect(openXla("cpu", { library: "/nowhere.so", trial: false })).rejects.toThrow(
      /there is no plugin at \/nowhere\.so/,
    );
    await expect(openXla("cpu", { library: import.meta.filename, trial: false })).rejects.toThrow(
      /cannot be loaded as a PJRT plugin.*help/s,
    );
  });
});

describe.skipIf(!xla)("on xla:cpu", () => {
  const twos = fromNumbers([2, 2, 2], [3]);

  it("says what it is", () => {
    expect(xla!.description).toMatch(/^XLA through PJRT 0\.\d+ on 2 × cpu/);
    expect(xla!.name).toBe("xla:cpu");
  });

  it("is in the table of devices, and shares its client", async () => {
    const device = await openDevice("xla:cpu", { devices: 2 });
    expect((device as typeof xla)!.client).toBe(xla!.client);
  });

  it("refuses the wrong platform", async () => {
    const library = xla!.client.pjrt.path;
    await expect(openXla("tpu", { library, trial: false })).rejects.toThrow(/is for cpu/);
  });

  it("refuses an option that the plugin does not know", async () => {
    await expect(openXla("cuda", { library: xla!.client.pjrt.path, trial: false })).rejects.toThrow(PjrtError);
  });

  it("keeps state between runs, all of it replaced in place", async () => {
    using state = new State(xla!);
    state.write("a", fromNumbers([1, 2, 3], [3]));
    state.write("b", twos);
    const [a, b] = [input("a", [3]), input("b", [3])];
    // b's update reads a, and a's reads b: no order of writing in place would be right
    const program = { name: "swap", outputs: { total: sum(a) }, updates: { a: add(b, input("x", [])), b: mul(a, 10) } };
    using step = await compile(program, xla!, { state });
    expect([...step.inPlace].sort()).toEqual(["a", "b"]);
    const totals = [];
    for (let i = 0; i < 3; i++) totals.push(toNumbers((await step.run({ x: fromNumbers([1], []) })).total!)[0]);
    expect(totals).toEqual([6, 9, 63]);
    expect(toNumbers(await state.read("a"))).toEqual([31, 31, 31]);
    expect(state.sizeBytes).toBe(24);
  });

  it("donates: the old memory is gone, and unwanted donations are held back", async () => {
    const g = graph("g", { y: mul(input("x", [3]), 3) });
    const { session } = await xla!.prepare({ graph: g, updates: { x: "y" } });
    using x = xla!.upload(twos) as XlaBuffer;
    const before = x.pointer;
    const kept = (await session.run({ x }, { y: "host" })) as { y: Tensor };
    expect(toNumbers(kept.y)).toEqual([6, 6, 6]);
    expect(x.pointer).toBe(before);
    expect(xla!.client.isDeleted(before)).toBe(false);
    await session.run({ x }, { y: x });
    expect(toNumbers(await x.read())).toEqual([6, 6, 6]);
    session.dispose();
  });

  it("refuses a buffer that is donated and read, unwritten, disposed, or in another run", async () => {
    const g = graph("g", { y: add(input("x", [3]), input("z", [3])) });
    const { session } = await xla!.prepare({ graph: g, updates: { x: "y" } });
    using x = xla!.upload(twos);
    using empty = xla!.allocate("float32", [3]);
    await expect(session.run({ x, z: x }, { y: x })).rejects.toThrow(/"x" is donated to this run, and fed as "z" too/);
    await expect(session.run({ x, z: empty }, { y: "host" })).rejects.toThrow(
      /has no content: nothing has been written/,
    );
    const running = session.run({ x, z: twos }, { y: x });
    await expect(session.run({ x, z: twos }, { y: "host" })).rejects.toThrow(/still used by another run/);
    await expect(x.read()).rejects.toThrow(EngineError);
    await running;
    expect(toNumbers(await x.read())).toEqual([4, 4, 4]);
    x.dispose();
    await expect(session.run({ x, z: twos }, { y: "host" })).rejects.toThrow(/used after dispose/);
    session.dispose();
    await expect(session.run({ x: twos, z: twos }, { y: "host" })).rejects.toThrow(/used after dispose/);
  });

  it("copies what it uploads, before it returns", async () => {
    const t = fromNumbers(new Array(100_000).fill(1), [100_000]);
    using buffer = xla!.upload(t);
    (t.data as Float32Array).fill(7);
    const read = await buffer.read();
    expect((read.data as Float32Array).every((v) => v === 1)).toBe(true);
  });

  it("takes every dtype there and back, and empty tensors", async () => {
    for (const t of [
      fromNumbers([1, 0], [2], "bool"),
      fromNumbers([-5, 2 ** 40], [2], "int64"),
      fromNumbers([1 / 3], [], "float64"),
      fromNumbers([], [0, 3]),
    ]) {
      using buffer = xla!.upload(t);
      expect(await buffer.read()).toEqual(t);
    }
  });

  it("keeps weights with the session, and writes results where they are wanted", async () => {
    const g = graph("g", { y: matmul(input("x", [1, 2]), input("w", [2, 2])) });
    const { session } = await xla!.prepare({ graph: g, weights: { w: fromNumbers([1, 2, 3, 4], [2, 2]) } });
    expect(session.inputs.map(({ name }) => name)).toEqual(["x"]);
    const into = fromNumbers([0, 0], [1, 2]);
    await session.run({ x: fromNumbers([1, 10], [1, 2]) }, { y: into });
    expect(toNumbers(into)).toEqual([31, 42]);
    const { y } = await session.run({ x: fromNumbers([1, 1], [1, 2]) }, { y: "buffer" });
    expect(toNumbers(await (y as XlaBuffer).read())).toEqual([4, 6]);
    (y as XlaBuffer).dispose();
    session.dispose();
  });

  it("refuses collectives between several workers in a session, and more replicas than devices", async () => {
    const g = graph("g", { y: constant(1) });
    const { client } = xla!;
    await expect(client.compile("g", "module {}", 3)).rejects.toThrow(/expected 1 to 2 replicas/);
    await expect(client.compile("g", "not a module", 1)).rejects.toThrow(PjrtError);
    const { session } = await xla!.prepare({ graph: g });
    expect(() => session.endProfiling()).toThrow(EngineError);
    session.dispose();
  });

  it("leaves the event loop free while it runs", async () => {
    const x = input("x", [512, 512]);
    let y = x;
    for (let i = 0; i < 20; i++) y = matmul(y, x);
    using executable = await compile(graph("long", { y: sum(y) }), xla!);
    let [done, turns] = [false, 0];
    const run = executable.run({ x: fromNumbers(new Array(512 * 512).fill(1e-3), [512, 512]) }).then(() => {
      done = true;
    });
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    await run;
    expect(turns).toBeGreaterThan(20);
  });
});
