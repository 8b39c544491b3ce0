import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { savedTensors } from "../../test/support/torch-bytes.ts";
import { CheckpointError } from "../errors.ts";
import { entriesOf, openModel, saveSafetensors } from "../hub/index.ts";
import {
  type FlavaConfig,
  flavaConfig,
  flavaLayouts,
  flavaParameters,
  fromHuggingFaceConfig,
  toHuggingFaceConfig,
  variants,
} from "../models/flava/index.ts";
import { huggingFaceJson } from "../models/index.ts";
import { initialize } from "../nn/index.ts";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat, type Tensor, tensor } from "../tensor/index.ts";
import type { Io } from "./command.ts";
import { type ConvertOptions, convert } from "./convert-model.ts";
import { inspect } from "./inspect-model.ts";

const config: FlavaConfig = flavaConfig({
  ...variants.tiny,
  image: { ...variants.tiny.image, hiddenSize: 64, heads: 1 },
  text: { ...variants.tiny.text, hiddenSize: 64, heads: 1 },
  multimodal: { ...variants.tiny.multimodal, hiddenSize: 64, heads: 1 },
});
const specs = flavaParameters(config);
const first = initialize(specs, 3) as Record<string, Tensor>;
const bias = "mim_head.bias";
first[bias] = tensor(
  "float32",
  [24],
  Float32Array.from({ length: 24 }, (_, i) => i / 7),
);
/** As the published file has them: tied ones under both names. */
const published = Object.fromEntries(
  specs.flatMap(({ name, aliases }) => [name, ...aliases].map((one) => [one, first[name]!])),
);

let folder: string;
let said: { text: string; value: Record<string, unknown>; notes: string[] };
let io: Io;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-convert-"));
  const seen = { text: "", value: {} as Record<string, unknown>, notes: [] as string[] };
  said = seen;
  io = {
    signal: new AbortController().signal,
    json: false,
    quiet: true,
    result: (text, value) => Object.assign(seen, { text, value }),
    note: (line) => void seen.notes.push(line),
    progress: () => ({ update: () => undefined, note: () => undefined, end: () => undefined }),
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (from: string, more: Partial<ConvertOptions> = {}): Promise<void> =>
  convert(io, [join(folder, from), join(folder, "out")], { layout: "huggingface", maxShardSize: 5e9, ...more });

async function read(path = "out"): Promise<Record<string, Tensor>> {
  await using model = await openModel(join(folder, path));
  const found: Record<string, Tensor> = {};
  for (const name of model.weights.tensors.keys()) found[name] = await model.weights.read(name);
  return found;
}

const bytesOf = ({ data }: Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

function expectSame(found: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, { shape }] of Object.entries(expected)) {
    expect(found[name]!.shape, name).toEqual(shape);
    expect(bytesOf(found[name]!).equals(bytesOf(expected[name]!)), name).toBe(true);
  }
}

/** The model under the names of another code base, its parts joined. */
function named(layout: keyof typeof flavaLayouts): Record<string, Tensor> {
  const parts = new Map<string, Tensor[]>();
  for (const [name, t] of Object.entries(published)) {
    const target = flavaLayouts[layout].target(name);
    if (!target) continue;
    const list = parts.get(target.name) ?? [];
    list[target.part?.[0] ?? 0] = t;
    parts.set(target.name, list);
  }
  return Object.fromEntries(
    [...parts].map(([name, list]) => {
      if (list.length === 1) return [name, list[0]!];
      const data = Float32Array.from(list.flatMap((t) => [...(t.data as Float32Array)]));
      return [name, tensor("float32", [list[0]!.shape[0]! * list.length, ...list[0]!.shape.slice(1)], data)];
    }),
  );
}

describe("flava convert", () => {
  it("gives the same tensors from every format and layout, with a configuration read off their shapes", async () => {
    const ids = tensor(
      "int64",
      [1, 12],
      BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i)),
    );
    const wrapped = Object.entries({ ...published, "flava.text_model.embeddings.position_ids": ids });
    await writeFile(join(folder, "a.bin"), await savedTensors(Object.fromEntries(wrapped)));
    await writeFile(
      join(folder, "b.pt"),
      await savedTensors(Object.fromEntries(wrapped.map(([n, t]) => [`module.${n}`, t]))),
    );
    await saveSafetensors(join(folder, "c.safetensors"), entriesOf(published));
    await writeFile(join(folder, "d.ckpt"), await savedTensors(named("torchmultimodal")));
    for (const from of ["a.bin", "b.pt", "c.safetensors", "d.ckpt"]) {
      await run(from, { overwrite: true });
      expectSame(await read(), published);
      const json = JSON.parse(await readFile(join(folder, "out", "config.json"), "utf8"));
      const found = fromHuggingFaceConfig(json);
      const { switches = {} } = flavaLayouts[from === "d.ckpt" ? "torchmultimodal" : "huggingface"];
      expect(found, from).toEqual(flavaConfig({ ...config, ...switches }));
    }
    expect(said.notes.join("\n")).toContain("image encoder: 1 head of 64, which no shape says");
  });

  it("copies the tokenizer's files and keeps what config.json says", async () => {
    await mkdir(join(folder, "in"));
    await saveSafetensors(join(folder, "in", "model.safetensors"), entriesOf(published));
    await writeFile(join(folder, "in", "tokenizer.json"), "{}");
    const json = toHuggingFaceConfig({ ...config, logitScaleInit: 2.5 }, { lossWeights: { mim: 0.25 } });
    await writeFile(join(folder, "in", "config.json"), huggingFaceJson(json));
    await run("in");
    expect((await readdir(join(folder, "out"))).sort()).toEqual(
      ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"].sort(),
    );
    expect(JSON.parse(await readFile(join(folder, "out", "config.json"), "utf8"))).toMatchObject({
      logit_scale_init_value: 2.5,
      mim_weight: 0.25,
    });
    await expect(run("in")).rejects.toThrow(expect.objectContaining({ help: expect.stringContaining("--overwrite") }));
  });

  it("writes halves of either kind, which come back to the nearest, and counts what they do not hold", async () => {
    const large = { ...published, "flava.logit_scale": tensor("float32", [], Float32Array.of(1e5)) };
    await saveSafetensors(join(folder, "in.safetensors"), entriesOf(large));
    await run("in.safetensors", { dtype: "bf16" });
    const rounded = (narrow: (data: Float32Array) => Float32Array): Record<string, Tensor> =>
      Object.fromEntries(
        Object.entries(large).map(([name, t]) => [name, tensor("float32", t.shape, narrow(t.data as Float32Array))]),
      );
    expectSame(
      await read(),
      rounded((data) => bfloat16ToFloat(floatToBfloat16(data))),
    );
    await run("in.safetensors", { dtype: "fp16", overwrite: true, maxShardSize: 200_000 });
    expectSame(
      await read(),
      rounded((data) => halfToFloat(floatToHalf(data))),
    );
    expect(said.notes.join("\n")).toMatch(/1 numbers were too large for this dtype and became infinite/);
    await inspect(io, [join(folder, "out")], {});
    expect(said.value).toMatchObject({ dtypes: { F16: { tensors: specs.length + 4 } }, missing: [], unexpected: [] });
    expect(said.value.files).toBeGreaterThan(2);
  });

  it("writes the names of other code bases, and reads them back", async () => {
    await saveSafetensors(join(folder, "in.safetensors"), entriesOf(published));
    for (const layout of ["torchmultimodal", "dino", "openai-dvae"] as const) {
      await run("in.safetensors", { layout, overwrite: true });
      expectSame(await read(), named(layout));
    }
    expect(said.notes.join("\n")).toMatch(/left out, for which the layout has no place: .* \(\d+\)/);
  });

  it("takes a part of a model: DINO's encoder, a codebook", async () => {
    await writeFile(join(folder, "dino.pth"), await savedTensors(named("dino")));
    await run("dino.pth");
    const wanted = Object.entries(published).filter(
      ([name]) => name.startsWith("flava.image_model.") && !/mask_token|pooler/.test(name),
    );
    expectSame(await read(), Object.fromEntries(wanted));
    expect(said.notes.join("\n")).toMatch(/not in .*: flava\.text_model \(\d+ tensors\)/);
    await writeFile(join(folder, "encoder.pkl"), await savedTensors(named("openai-dvae")));
    await run("encoder.pkl", { overwrite: true });
    const codebook = Object.entries(published).filter(([name]) => name.startsWith("image_codebook."));
    expectSame(await read(), Object.fromEntries(codebook));
  });

  it("refuses what is missing, misshapen or not of the model; the last may be dropped", async () => {
    const { "flava.image_model.layernorm.weight": _, ...lacking } = published;
    await saveSafetensors(join(folder, "a.safetensors"), entriesOf(lacking));
    await expect(run("a.safetensors")).rejects.toThrow(/1 missing:\n {4}flava.image_model.layernorm.weight/);
    const extra = { ...published, "flava.adapter.weight": first[bias]! };
    await saveSafetensors(join(folder, "b.safetensors"), entriesOf(extra));
    await expect(run("b.safetensors")).rejects.toThrow(
      /1 not of this model:\n {4}flava.adapter.weight\n.*--drop-unknown/,
    );
    await run("b.safetensors", { dropUnknown: true });
    expectSame(await read(), published);
    expect(said.notes).toContain("left out, not of this model: flava.adapter.weight");
    const untied = { ...published, "mim_head.decoder.bias": tensor("float32", [24], new Float32Array(24)) };
    await saveSafetensors(join(folder, "c.safetensors"), entriesOf(untied));
    await expect(run("c.safetensors", { overwrite: true })).rejects.toThrow(/to be one tensor, got two that differ/);
    expectSame(await read(), published);
  });
});

describe("flava inspect", () => {
  it("tells format, layout, sizes, tensors and what else is in the file", async () => {
    const tensors = { ...named("torchmultimodal"), "model.extra.weight": first[bias]! };
    await writeFile(join(folder, "in.pt"), await savedTensors(tensors));
    await inspect(io, [join(folder, "in.pt")], {});
    expect(said.text).toMatch(/format {8}torch, 1 file, [\d.]+ [KM]iB of tensors/);
    expect(said.text).toMatch(/layout {8}torchmultimodal's FLAVA: FLAVAForPreTraining/);
    expect(said.text).toMatch(/✖ {13}1 not of this model: model.extra.weight/);
    expect(said.text).toMatch(
      /F32 {2}\(64, 64\) +model\.text_encoder\.encoder\.layer\.\{0\.\.1\}\.attention\.key\.weight/,
    );
    expect(said.value).toMatchObject({ layout: "torchmultimodal", unexpected: ["model.extra.weight"], missing: [] });
    const list = said.value.tensors as { name: string; published: string[] }[];
    expect(list.find(({ name }) => name === "loss.itm_loss.cls.seq_relationship.bias")!.published).toEqual([
      "itm_head.seq_relationship.bias",
    ]);
  });

  it("names the stages of a run, and shows no character that a terminal obeys", async () => {
    await saveSafetensors(join(folder, "model.safetensors"), entriesOf({ "evil\u001b[2J": first[bias]! }));
    const stages = { text: { kind: "text-mlm", steps: 1200, done: 1200 }, joint: { kind: "joint", steps: 9, done: 4 } };
    await writeFile(join(folder, "run.json"), JSON.stringify({ name: "x", stages }));
    await inspect(io, [folder], {});
    expect(said.text).toMatch(/run {11}text: text-mlm, 1,200 steps\n {14}joint: joint, 4 of 9 steps/);
    expect(said.text).toContain("evil?[2J");
    expect(said.value.stages).toEqual([
      { name: "text", kind: "text-mlm", steps: 1200, done: 1200 },
      { name: "joint", kind: "joint", steps: 9, done: 4 },
    ]);
    for (const other of ["[]", "{", '{"stages": [1]}', '{"stages": {"a": {"kind": 3}}}']) {
      await writeFile(join(folder, "run.json"), other);
      await inspect(io, [folder], {});
      expect(said.value).not.toHaveProperty("stages");
    }
  });

  it("lists the tensors of models that are none of FLAVA's", async () => {
    await saveSafetensors(join(folder, "x.safetensors"), entriesOf({ "layer1.conv.weight": first[bias]! }));
    await inspect(io, [join(folder, "x.safetensors")], {});
    expect(said.text).toMatch(/model {9}none that is known: .*expected tensors named as in/);
    expect(said.text).toContain("layer1.conv.weight");
    expect(said.value).toMatchObject({ layout: null, parameters: 24 });
    await writeFile(join(folder, "broken.safetensors"), "no");
    await expect(inspect(io, [join(folder, "broken.safetensors")], {})).rejects.toThrow(CheckpointError);
  });
});
