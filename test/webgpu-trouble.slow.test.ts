/** A GPU that is lost, has too little memory, or is not there. Slow: whole runs on a GPU of software. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { EngineError } from "../src/errors.ts";
import { graph, input, matmul, mul, sum } from "../src/graph/index.ts";
import { latestCheckpoint } from "../src/record/index.ts";
import { compile, openDevice, State } from "../src/runtime/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../src/tensor/index.ts";
import { flava, until, writeRecipe } from "./support/cli-run.ts";
import { lossyDriver, useDriver } from "./support/webgpu-device.ts";

const folder = mkdtempSync(join(tmpdir(), "flava-webgpu-"));
const lossy = lossyDriver(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ones = (shape: number[]): Tensor => fromNumbers(new Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);

describe.skipIf(!lossy)("a GPU in trouble", () => {
  it("ends flava pretrain with a typed error when it is lost; the last checkpoint is whole, and cpu goes on from it", async () => {
    const recipe = await writeRecipe(join(folder, "recipe.yaml"));
    const runDir = join(folder, "run");
    const env = Object.entries(lossy!.env).map(([name, value]) => `export ${name}='${value}'`);
    const { ended } = flava([recipe, "--run-dir", runDir, "--device", "webgpu"], env.join("; "));
    await until(() => existsSync(join(runDir, "text", "checkpoint-2")), ended);
    writeFileSync(lossy!.file, "");
    const { code, signal, stderr } = await ended;
    rmSync(lossy!.file);
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toMatch(/webgpu: the GPU was lost.*--resume latest/s);
    expect(stderr).toContain("experimental");
    const left = await latestCheckpoint(join(runDir, "text"), { onDamaged: (message) => expect.fail(message) });
    expect(left?.step).toBeGreaterThan(1);
    const resumed = await flava([recipe, "--run-dir", runDir, "--resume", "latest", "--device", "cpu", "--quiet"])
      .ended;
    expect(resumed.code).toBe(0);
  });

  it("that is not there is said by a typed error", async () => {
    const recipe = await writeRecipe(join(folder, "recipe.yaml"));
    const args = [recipe, "--run-dir", join(folder, "none"), "--device", "webgpu"];
    const { code, stderr } = await flava(args, `export VK_ICD_FILENAMES='${join(folder, "nowhere.json")}'`).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/webgpu: expected a GPU, got none.*driver/s);
  });

  it("with too little memory, and then lost: each run says so, none ends the process", async () => {
    Object.assign(process.env, lossy!.env);
    await useDriver(lossy!.description);
    const device = await openDevice("webgpu", { threads: 1 });
    const x = input("x", [256, 256]);
    using state = new State(device);
    state.write("w", ones([256, 256]));
    const w = input("w", [256, 256]);
    const program = { name: "step", outputs: { y: sum(matmul(x, w)) }, updates: { w: mul(w, 0.5) } };
    using step = await compile(program, device, { state });
    const feeds = { x: ones([256, 256]) };
    expect(toNumbers((await step.run(feeds)).y!)[0]).toBe(256 ** 3);
    process.env.LOSSY_BYTES = "1000000";
    const large = input("z", [3000, 3000]);
    const rows = await compile(graph("large", { y: sum(matmul(large, large)) }), device);
    await expect(rows.run({ z: ones([3000, 3000]) })).rejects.toThrow(/the GPU has no memory.*help: lower/s);
    using buffer = device.allocate("float32", [3000, 3000]);
    await expect(Promise.resolve(buffer.read())).rejects.toThrow(/memory for float32 \(3000, 3000\)/);
    delete process.env.LOSSY_BYTES;
    expect(toNumbers((await step.run(feeds)).y!)[0]).toBe(256 ** 3 / 2);
    writeFileSync(lossy!.file, "");
    for (let i = 0; i < 2; i++) {
      await expect(step.run(feeds)).rejects.toThrow(EngineError);
      await expect(step.run(feeds)).rejects.toThrow(/the GPU was lost/);
    }
    await expect(state.read("w")).rejects.toThrow(/the GPU was lost/);
    await expect(compile(graph("again", { y: sum(x) }), device)).rejects.toThrow(/the GPU was lost/);
  });
});
