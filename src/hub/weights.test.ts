import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointBytes, stateDict } from "../../test/support/torch-bytes.ts";
import { CheckpointError, ConfigError, FileError } from "../errors.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import { entriesOf, openModel, saveSafetensors, saveWeights } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-weights-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const tensors: Record<string, Tensor> = Object.fromEntries(
  ["a", "b", "c", "d"].map((name, i) => [name, fromNumbers([i, i + 0.5, i + 0.25, -i], [2, 2])]),
);
const read = async (path: string, options = {}): Promise<Record<string, number[]>> => {
  await using model = await openModel(path, options);
  const found: Record<string, number[]> = {};
  for (const name of model.weights.tensors.keys()) found[name] = toNumbers(await model.weights.read(name));
  return Object.fromEntries(Object.entries(found).sort());
};
const expected = Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, toNumbers(t)]));
const torchFile = (key = "w"): Promise<Uint8Array> =>
  checkpointBytes(stateDict({ [key]: { type: "Float", key: "0", length: 1, shape: [1] } }), {
    0: new Uint8Array(Float32Array.of(7).buffer),
  });

describe("saveWeights", () => {
  it("writes one file where all fits", async () => {
    expect(await saveWeights(folder, entriesOf(tensors))).toMatchObject({ files: ["model.safetensors"] });
    expect(await read(folder)).toEqual(expected);
  });

  it("writes several with an index, each of limited size, which are read as one", async () => {
    const { files } = await saveWeights(folder, entriesOf(tensors), { maxShardBytes: 40 });
    const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    expect(files).toEqual([...shards, "model.safetensors.index.json"]);
    const index = JSON.parse(await readFile(join(folder, "model.safetensors.index.json"), "utf8"));
    expect(index.metadata).toEqual({ total_parameters: 16, total_size: 64 });
    expect(index.weight_map.d).toBe("model-00002-of-00002.safetensors");
    expect(await read(folder)).toEqual(expected);
    expect(await read(join(folder, "model.safetensors.index.json"))).toEqual(expected);
    expect((await readdir(folder)).sort()).toEqual([...files].sort());
  });

  it("does not mix with weights of before: refuses, or takes their place", async () => {
    await saveWeights(folder, entriesOf(tensors), { maxShardBytes: 20 });
    await expect(saveWeights(folder, entriesOf(tensors))).rejects.toThrow(ConfigError);
    await saveWeights(folder, entriesOf(tensors), { overwrite: true });
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
  });

  it("leaves the weights of before where writing fails", async () => {
    await saveWeights(folder, entriesOf(tensors));
    const broken = { name: "x", dtype: "float32", shape: [1], read: () => Promise.reject(new Error("no")) } as const;
    await expect(saveWeights(folder, [broken], { overwrite: true })).rejects.toThrow("no");
    expect(await read(folder)).toEqual(expected);
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
  });
});

describe("an index", () => {
  const index = (map: unknown) =>
    writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  it.each([
    ["a file outside", { a: "../a.safetensors" }, /expected the name of a file beside it/],
    ["a file that is not there", { a: "x.safetensors" }, /expected the file x.safetensors, got none/],
    ["a tensor that is not there", { a: "model-1.safetensors", e: "model-1.safetensors" }, /e: not in model-1/],
    ["not all tensors", { a: "model-1.safetensors" }, /b: in model-1.safetensors, which the index does not say/],
    ["nothing", {}, /expected a weight_map/],
  ])("that names %s is refused", async (_, map, reason) => {
    await saveSafetensors(join(folder, "model-1.safetensors"), entriesOf({ a: tensors.a!, b: tensors.b! }));
    await index(map);
    await expect(openModel(folder)).rejects.toThrow(CheckpointError);
    await expect(openModel(folder)).rejects.toThrow(reason);
  });
});

describe("openModel", () => {
  it("takes safetensors before a checkpoint of torch, a variant where it is asked for, and reads config.json", async () => {
    await writeFile(join(folder, "pytorch_model.bin"), await torchFile());
    await writeFile(join(folder, "config.json"), '{"model_type": "flava"}');
    expect(await read(folder)).toEqual({ w: [7] });
    await saveWeights(folder, entriesOf(tensors), { overwrite: true });
    await writeFile(join(folder, "pytorch_model.bin"), await torchFile());
    expect(await read(folder)).toEqual(expected);
    await saveSafetensors(join(folder, "model.fp16.safetensors"), entriesOf({ a: tensors.a! }));
    expect(await read(folder, { variant: "fp16" })).toEqual({ a: expected.a });
    await using model = await openModel(folder);
    expect([model.weights.format, model.config]).toEqual(["safetensors", { model_type: "flava" }]);
  });

  it("takes a file by its name, and the only file of weights of a folder, whatever it is called", async () => {
    await writeFile(join(folder, "flava_model.pt"), await torchFile());
    await writeFile(join(folder, "optimizer.pt"), await torchFile("moment"));
    expect(await read(folder)).toEqual({ w: [7] });
    expect(await read(join(folder, "flava_model.pt"))).toEqual({ w: [7] });
    await writeFile(join(folder, "other.pth"), await torchFile());
    await expect(openModel(folder)).rejects.toThrow(/expected one file of weights, got flava_model.pt, other.pth/);
  });

  it.each(["model.pth", "model-best.pt", "model.fp16.safetensors"])(
    "takes %s where it is all there is",
    async (name) => {
      if (name.endsWith("safetensors"))
        await saveSafetensors(join(folder, name), entriesOf({ w: fromNumbers([7], [1]) }));
      else await writeFile(join(folder, name), await torchFile());
      expect(await read(folder)).toEqual({ w: [7] });
    },
  );

  it("does not take a shard without its index for the whole", async () => {
    await saveSafetensors(join(folder, "model-00001-of-00002.safetensors"), entriesOf(tensors));
    await expect(openModel(folder)).rejects.toThrow(/expected weights, got none/);
  });

  it("says where it looked in a folder without weights", async () => {
    await expect(openModel(folder)).rejects.toThrow(/expected weights, got none\n.*looked for model.safetensors/);
    await expect(openModel(join(folder, "nowhere.bin"))).rejects.toThrow(FileError);
  });
});
