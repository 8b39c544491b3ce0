import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CheckpointError, ConfigError, FileError } from "../../errors.ts";
import { entriesOf, openSafetensors, saveSafetensors, type TensorEntry } from "../../hub/index.ts";
import { openDevice, State } from "../../runtime/index.ts";
import { fromNumbers, type Tensor } from "../../tensor/index.ts";
import { checkCheckpoint, findCheckpoints, latestCheckpoint, openCheckpoint, resumeFrom, tidyFolder } from "./find.ts";
import type { BestSoFar, CheckpointState } from "./format.ts";
import { betterOf, saveCheckpoint } from "./save.ts";
import { aliasesOf, restoreTensors, storeEntries, type TensorStore } from "./tensors.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const state = (step: number, changes: Partial<CheckpointState> = {}): Omit<CheckpointState, "format" | "files"> => ({
  stage: "joint",
  step,
  seed: 3,
  cursors: { pairs: { file: 1, at: [2, null] } },
  counters: { pairs: 10 * step },
  best: null,
  recipe: { seed: 3 },
  recipeHash: "",
  architecture: { width: 8 },
  versions: { flava: "0.1.0" },
  ...changes,
});

const model = (step: number): TensorEntry[] => entriesOf({ w: fromNumbers([step, step + 0.5], [2]) });
const optimizer = (step: number): TensorEntry[] => entriesOf({ "optimizer.exp_avg.w": fromNumbers([-step, 0], [2]) });
const save = (step: number, limit: number | null = null, best: BestSoFar | null = null): Promise<string> =>
  saveCheckpoint(folder, { state: state(step, { best }), model: model(step), optimizer: optimizer(step) }, { limit });
const steps = async (): Promise<number[]> => (await findCheckpoints(folder)).map(({ step }) => step);
const silent = { onDamaged: (): void => undefined };

/** A store in memory. */
function memoryStore(tensors: Record<string, Tensor>): TensorStore & { tensors: Record<string, Tensor> } {
  return {
    tensors,
    has: (name) => Object.hasOwn(tensors, name),
    buffer: (name) => tensors[name]!,
    read: async (name) => tensors[name]!,
    write: (name, t) => {
      tensors[name] = t;
    },
  };
}

describe("saveCheckpoint", () => {
  it("gives back what it was given", async () => {
    const path = await save(7);
    expect((await readdir(folder)).sort()).toEqual(["checkpoint-7"]);
    expect((await readdir(path)).sort()).toEqual(["model.safetensors", "optimizer.safetensors", "state.json"]);
    await using open = await openCheckpoint(path);
    expect(open.state).toMatchObject(state(7));
    expect(await open.model.read("w")).toEqual(fromNumbers([7, 7.5], [2]));
    expect(await open.optimizer.read("optimizer.exp_avg.w")).toEqual(fromNumbers([-7, 0], [2]));
    expect(open.model.metadata).toEqual({ format: "pt" });
    expect(await checkCheckpoint(path)).toEqual(open.state);
  });

  it("keeps the newest and the best, and says which is best", async () => {
    const best: BestSoFar = { metric: "eval/validation/i2t_r1", mode: "max", value: 0.5, step: 10 };
    for (const step of [5, 10, 20, 100]) await save(step, 2, step < 10 ? null : best);
    expect(await steps()).toEqual([10, 20, 100]);
    expect(JSON.parse(await readFile(join(folder, "best.json"), "utf8"))).toEqual(best);
  });

  it("replaces a checkpoint of the same step", async () => {
    await save(3);
    await saveCheckpoint(folder, { state: state(3), model: model(33), optimizer: optimizer(3) });
    await using open = await openCheckpoint(join(folder, "checkpoint-3"));
    expect(await open.model.read("w")).toEqual(fromNumbers([33, 33.5], [2]));
    expect(await readdir(folder)).toEqual(["checkpoint-3"]);
  });

  it("leaves the checkpoints before it alone when the disk is full or the engine fails", async () => {
    await save(1);
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
    const broken = (error: Error): TensorEntry[] => [
      { name: "w", dtype: "float32", shape: [2], read: () => Promise.reject(error) },
    ];
    const failing = (error: Error): Promise<string> =>
      saveCheckpoint(folder, { state: state(2), model: model(2), optimizer: broken(error) }, { limit: 1 });
    await expect(failing(full)).rejects.toThrow(FileError);
    await expect(failing(full)).rejects.toThrow(/optimizer\.safetensors: the disk is full \(ENOSPC/);
    await expect(failing(new Error("the engine is gone"))).rejects.toThrow(/^the engine is gone$/);
    expect(await readdir(folder)).toEqual(["checkpoint-1"]);
    await checkCheckpoint(join(folder, "checkpoint-1"));
  });

  it("stops at the signal and leaves nothing", async () => {
    const aborted = saveCheckpoint(
      folder,
      { state: state(2), model: model(2), optimizer: [] },
      { signal: AbortSignal.abort() },
    );
    await expect(aborted).rejects.toThrow(/abort/i);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("latestCheckpoint", () => {
  it("goes by number, and sees neither temporary nor other folders", async () => {
    for (const step of [9, 10, 100]) await save(step);
    for (const name of ["checkpoint-200.partial", "checkpoint-300.old", "checkpoint-x", "checkpoint-0400"])
      await mkdir(join(folder, name));
    expect((await latestCheckpoint(folder, silent))!.step).toBe(100);
    expect(await latestCheckpoint(join(folder, "nowhere"), silent)).toBeUndefined();
  });

  it.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    [
      "a missing file",
      (path) => rm(join(path, "optimizer.safetensors")),
      /optimizer\.safetensors: expected \d+ bytes, got ENOENT/,
    ],
    [
      "a file that was cut off",
      (path) => truncate(join(path, "model.safetensors"), 40),
      /model\.safetensors: expected \d+ bytes, got 40/,
    ],
    ["a flipped bit", flipLastBit, /model\.safetensors: expected the bytes that were saved/],
    ["a state that is no JSON", (path) => writeFile(join(path, "state.json"), "{"), /state\.json: expected JSON/],
    [
      "a state without a cursor",
      (path) => writeFile(join(path, "state.json"), '{"format":2}'),
      /expected a state\n.*✖/s,
    ],
    ["a folder that was renamed", (path) => swapFolders(path), /expected the state of step 20, got that of step 10/],
  ])("passes over %s loudly", async (_, damage, message) => {
    await save(10);
    const path = await save(20);
    await damage(path);
    const onDamaged = vi.fn();
    expect((await latestCheckpoint(folder, { onDamaged }))?.step).toBe(10);
    expect(onDamaged).toHaveBeenCalledOnce();
    expect(onDamaged.mock.calls[0]![0]).toMatch(message);
    await expect(resumeFrom(folder, path, silent)).rejects.toThrow(CheckpointError);
  });

  async function flipLastBit(path: string): Promise<void> {
    const file = join(path, "model.safetensors");
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
  }

  async function swapFolders(path: string): Promise<void> {
    await rm(path, { recursive: true });
    await cp(join(folder, "checkpoint-10"), path, { recursive: true });
  }

  it("gives up when every checkpoint is damaged, instead of starting anew without a word", async () => {
    await rm(join(await save(1), "state.json"));
    await expect(latestCheckpoint(folder, silent)).rejects.toThrow(/expected an intact checkpoint, got 1 damaged/);
  });
});

describe("a checkpoint of another version", () => {
  it("is refused with who wrote it and what to do, not passed over as damaged", async () => {
    await save(1);
    const path = await save(2);
    const file = join(path, "state.json");
    await writeFile(file, (await readFile(file, "utf8")).replace('"format": 2', '"format": 1'));
    await expect(latestCheckpoint(folder, silent)).rejects.toThrow(ConfigError);
    await expect(checkCheckpoint(path)).rejects.toThrow(
      /state\.json: expected a checkpoint of format 2, got format 1, which flava 0\.1\.0 wrote\n {2}help: finish this run/,
    );
  });
});

describe("resumeFrom", () => {
  it("takes latest, a folder of checkpoints, or one checkpoint", async () => {
    await save(1);
    const second = await save(2);
    expect((await resumeFrom(folder, "latest", silent)).path).toBe(second);
    expect((await resumeFrom("elsewhere", folder, silent)).step).toBe(2);
    const copied = await mkdtemp(join(tmpdir(), "flava-copied-"));
    await cp(join(folder, "checkpoint-1"), copied, { recursive: true });
    expect((await resumeFrom(folder, copied, silent)).step).toBe(1);
    await rm(copied, { recursive: true });
    await expect(resumeFrom(join(folder, "none"), "latest", silent)).rejects.toThrow(ConfigError);
  });
});

describe("tidyFolder", () => {
  it("removes what is unfinished and brings back a checkpoint that had stepped aside", async () => {
    await save(1);
    await save(2);
    await rename(join(folder, "checkpoint-1"), join(folder, "checkpoint-1.old"));
    await cp(join(folder, "checkpoint-2"), join(folder, "checkpoint-2.old"), { recursive: true });
    await mkdir(join(folder, "checkpoint-3.partial"));
    await writeFile(join(folder, "best.json.12-0.partial"), "");
    expect((await tidyFolder(folder)).sort()).toEqual([
      "best.json.12-0.partial",
      "checkpoint-1.old",
      "checkpoint-2.old",
      "checkpoint-3.partial",
    ]);
    expect(await steps()).toEqual([1, 2]);
    expect((await readdir(folder)).length).toBe(2);
    expect(await tidyFolder(join(folder, "nowhere"))).toEqual([]);
  });
});

describe("tensors of a store", () => {
  const tensors = {
    "head.bias": fromNumbers([1, 2], [2]),
    "head.weight": fromNumbers([3], [1]),
    moment: fromNumbers([4], [1]),
  };
  const aliases = aliasesOf([{ name: "head.bias", aliases: ["head.decoder.bias"] }, { name: "head.weight" }]);
  const names = ["head.bias", "head.weight"];
  const written = async (entries: readonly TensorEntry[]) => {
    await saveSafetensors(join(folder, "m.safetensors"), entries);
    return openSafetensors(join(folder, "m.safetensors"));
  };

  it("are saved under their names and aliases, and restored", async () => {
    await using file = await written(storeEntries(memoryStore({ ...tensors }), names, aliases));
    expect([...file.tensors.keys()].sort()).toEqual(["head.bias", "head.decoder.bias", "head.weight"]);
    const store = memoryStore({ "head.bias": fromNumbers([0, 0], [2]) });
    await restoreTensors(file, store, names, { aliases });
    expect(store.tensors).toEqual({ "head.bias": tensors["head.bias"], "head.weight": tensors["head.weight"] });
  });

  it("go from one state of a device to another, bit by bit", async () => {
    const device = await openDevice("interpret");
    using from = new State(device);
    using to = new State(device);
    from.writeAll(tensors);
    to.writeAll({ "head.bias": fromNumbers([0, 0], [2]), "head.weight": fromNumbers([0], [1]) });
    await using file = await written(storeEntries(from, names, aliases));
    await restoreTensors(file, to, names, { aliases });
    for (const name of names) expect(await to.read(name)).toEqual(await from.read(name));
  });

  it("are refused as a whole when names or shapes differ", async () => {
    await using file = await written(entriesOf({ "head.bias": fromNumbers([1], [1]), other: fromNumbers([1], [1]) }));
    const store = memoryStore({ ...tensors });
    await expect(restoreTensors(file, store, names, { aliases })).rejects.toThrow(
      /✖ head\.bias: expected float32 \(2\), got float32 \(1\)\n✖ head\.weight: missing\n✖ other: in the file, not in the model/,
    );
    expect(store.tensors).toEqual(tensors);
  });

  it("are refused when an alias holds something else", async () => {
    const { moment: _, ...model } = tensors;
    await using file = await written(entriesOf({ ...model, "head.decoder.bias": fromNumbers([1, 9], [2]) }));
    await expect(restoreTensors(file, memoryStore({}), names, { aliases })).rejects.toThrow(/to be one tensor/);
  });

  it("are restored from an alias alone, as transformers 5 stores tied biases", async () => {
    await using file = await written(
      entriesOf({ "head.decoder.bias": tensors["head.bias"], "head.weight": tensors["head.weight"] }),
    );
    const store = memoryStore({ "head.bias": fromNumbers([0, 0], [2]) });
    await restoreTensors(file, store, names, { aliases });
    expect(store.tensors["head.bias"]).toEqual(tensors["head.bias"]);
    const other = memoryStore({ "head.bias": fromNumbers([0], [1]) });
    await expect(restoreTensors(file, other, names, { aliases })).rejects.toThrow(/head\.bias: expected float32 \(1\)/);
  });
});

describe("betterOf", () => {
  const at = (step: number, value: number, mode: "min" | "max" = "max"): BestSoFar => ({
    metric: "m",
    mode,
    value,
    step,
  });
  it("takes the higher, or with min the lower, and the earlier of equals", () => {
    expect(betterOf(null, at(1, 5))?.step).toBe(1);
    expect(betterOf(at(1, 5), at(2, 6))?.step).toBe(2);
    expect(betterOf(at(1, 5), at(2, 5))?.step).toBe(1);
    expect(betterOf(at(1, 5, "min"), at(2, 6, "min"))?.step).toBe(1);
    expect(betterOf(at(1, 5), at(2, Number.NaN))?.step).toBe(1);
    expect(betterOf(null, at(2, Number.NaN))).toBeNull();
  });
});
