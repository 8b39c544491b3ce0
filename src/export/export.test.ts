/** Exported folders: what is in them, and that plain onnxruntime-node computes from them what the interpreter says. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import "../../test/support/matchers.ts";
import { graph, interpret } from "../graph/index.ts";
import { entriesOf, saveSafetensors } from "../hub/index.ts";
import { decodeModel } from "../lower/onnx/index.ts";
import { flavaConfig, flavaFamily, multimodalGraph, toHuggingFaceConfig, variants } from "../models/flava/index.ts";
import { initialize } from "../nn/index.ts";
import { fromNumbers, random, size, type Tensor, toNumbers } from "../tensor/index.ts";
import { bertTokenizerJson, SPECIAL_TOKENS } from "../text/index.ts";
import { exportCard } from "./card.ts";
import { suspicions } from "./export.ts";
import { exportGraph } from "./graphs.ts";
import { exportOnnx } from "./index.ts";

const words = ["a", "photo", "of", "cat", "red", "house", "##s", "dog"];
const vocabulary = [...SPECIAL_TOKENS, ...words, ...Array.from({ length: 80 }, (_, i) => `word${i}`)];
const config = flavaConfig({
  ...variants.tiny,
  text: { ...variants.tiny.text, vocabSize: vocabulary.length },
});
const model = flavaFamily.of(config);
const weights = initialize(model.parameters(), 7);
for (const t of Object.values(weights))
  if (t.shape.length > 1)
    t.data.forEach((x, i) => {
      t.data[i] = x * 8;
    }); // far from 0

const anyFile = {
  graph: "image",
  dtype: "fp32",
  file: "onnx/vision_model.onnx",
  sizeBytes: 1,
  external: false,
  inputs: [],
  outputs: [],
  parity: [],
} as const;

let root: string;
let source: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flava-export-"));
  source = join(root, "source");
  await saveModel(source, Object.keys(weights));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function saveModel(folder: string, names: readonly string[]): Promise<void> {
  const { mkdir } = await import("node:fs/promises");
  await mkdir(folder);
  await saveSafetensors(
    join(folder, "model.safetensors"),
    entriesOf(Object.fromEntries(names.map((name) => [name, weights[name]!]))),
  );
  await writeFile(join(folder, "config.json"), JSON.stringify(toHuggingFaceConfig(config)));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(bertTokenizerJson(vocabulary)));
}

/** A batch whose last row is nothing but padding. */
function batch(rows: number, length: number): Record<string, Tensor> {
  const rng = random(3, "export", rows, length);
  const noise = Array.from({ length: rows * 3 * 32 * 32 }, () => rng.normal());
  const ids = Array.from({ length: rows * length }, () => Math.floor(rng.uniform() * vocabulary.length));
  const mask = ids.map((_, i) => Number(Math.floor(i / length) < rows - 1 && i % length <= i % 7));
  return {
    pixel_values: fromNumbers(noise, [rows, 3, 32, 32]),
    input_ids: fromNumbers(ids, [rows, length], "int64"),
    attention_mask: fromNumbers(mask, [rows, length], "int64"),
  };
}

async function runPlain(file: string, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const ort = await import("onnxruntime-node");
  const session: InferenceSession = await ort.InferenceSession.create(file);
  const given = session.inputNames.map((name) => {
    const t = feeds[name]!;
    return [name, new ort.Tensor(t.dtype as "float32", t.data as Float32Array, t.shape)] as const;
  });
  const found = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(found).map(([name, t]) => [name, { dtype: "float32", shape: t.dims, data: t.data as Float32Array }]),
  );
}

describe("exportOnnx", () => {
  it("writes files in transformers.js' layout, and a report that is near 0 for fp32 and small for the others", async () => {
    const folder = join(root, "all");
    const report = await exportOnnx(source, folder, {
      dtypes: ["fp32", "fp16", "q8"],
      threads: 1,
      sampleCount: 2,
    });
    const stems = ["masked_lm_model", "model", "multimodal_model", "text_model", "vision_model"];
    const names = stems.flatMap((stem) => ["", "_fp16", "_quantized"].map((suffix) => `${stem}${suffix}.onnx`));
    expect((await readdir(join(folder, "onnx"))).sort()).toEqual([...names, "parity.json"].sort());
    expect((await readdir(folder)).sort()).toEqual(
      [
        "README.md",
        "config.json",
        "onnx",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
      ].sort(),
    );
    for (const { dtype, file, parity } of report.files)
      for (const p of parity) {
        const limit = { fp32: 1e-4, fp16: 2e-2, q8: 0.5, int8: 0.5 }[dtype];
        expect(p.mean / p.size, `${file} ${p.output}`).toBeLessThan(limit);
        expect(p.max, `${file} ${p.output}`).toBeLessThanOrEqual(dtype === "fp32" ? 1e-4 * Math.max(1, p.size) : 20);
        expect(p.cosine, `${file} ${p.output}`).toBeGreaterThan(
          { fp32: 1 - 1e-6, fp16: 0.999, q8: 0.8, int8: 0.8 }[dtype],
        );
      }
    expect(JSON.parse(await readFile(join(folder, "onnx", "parity.json"), "utf8"))).toEqual(
      JSON.parse(JSON.stringify(report)),
    );
    const card = await readFile(join(folder, "README.md"), "utf8");
    expect(parse(/^---\n([\s\S]*?)\n---/.exec(card)![1]!)).toMatchObject({
      library_name: "flava",
      tags: ["flava", "onnx", "transformers.js"],
    });
    expect(card).toContain("| `vision_model_fp16.onnx` | fp16 | image_embeds |");
    const sizes = new Map(report.files.map(({ file, sizeBytes }) => [file, sizeBytes]));
    expect(sizes.get("onnx/text_model_fp16.onnx")!).toBeLessThan(0.9 * sizes.get("onnx/text_model.onnx")!);
  });

  it("plain onnxruntime-node computes what the interpreter does, for batches and lengths that were never traced", async () => {
    const folder = join(root, "plain");
    await exportOnnx(source, folder, { threads: 1, sampleCount: 1 });
    for (const [rows, length] of [
      [1, 1],
      [3, 12],
      [7, 5],
    ] as const) {
      const feeds = batch(rows, length);
      const ints = Object.fromEntries(
        Object.entries(feeds).map(([name, t]) => [
          name,
          t.dtype === "int64" ? fromNumbers(Array.from(t.data, Number), t.shape, "int32") : t,
        ]),
      );
      const exact = multimodalGraph(config, { batch: rows, textLength: length });
      const expected = interpret(exact.graph, {
        ...ints,
        ...Object.fromEntries(exact.params.map(({ name }) => [name, weights[name]!])),
      });
      const [vision, text] = [
        await runPlain(join(folder, "onnx/vision_model.onnx"), feeds),
        await runPlain(join(folder, "onnx/text_model.onnx"), feeds),
      ];
      const pair = await runPlain(join(folder, "onnx/multimodal_model.onnx"), {
        ...feeds,
        image_mm: vision.image_mm!,
        text_mm: text.text_mm!,
      });
      const all = await runPlain(join(folder, "onnx/model.onnx"), feeds);
      const near = { rtol: 1e-4, atol: 1e-4 };
      for (const key of ["image_embeds", "text_embeds", "itm_logits", "multimodal_embeddings"])
        expect(all[key]!, key).toBeAllclose(expected[key]!, near);
      expect(vision.last_hidden_state!).toBeAllclose(expected.image_embeddings!, near);
      expect(text.last_hidden_state!).toBeAllclose(expected.text_embeddings!, near);
      expect(pair.itm_logits!).toBeAllclose(expected.itm_logits!, near);
      expect(pair.last_hidden_state!).toBeAllclose(expected.multimodal_embeddings!, near);
      expect(all.contrastive_logits_per_image!.shape).toEqual([rows, rows]);
      expect(all.mmm_text_logits!.shape).toEqual([rows, length, vocabulary.length]);
    }
  });

  it("contrastive logits and words are those of the model's own heads", async () => {
    const all = exportGraph(model, "full", () => true)!;
    const feeds = batch(2, 5);
    const traced = all.graph.trace({ batch_size: 2, sequence_length: 5 });
    const own = Object.fromEntries(all.params.map(({ name }) => [name, weights[name]!]));
    const found = interpret(traced, { ...feeds, ...own });
    const [images, texts] = [found.image_embeds!, found.text_embeds!];
    const E = images.shape[1]!;
    const scale = Math.exp(Number(weights["flava.logit_scale"]!.data[0]));
    const cosine = (n: number, m: number): number =>
      Array.from({ length: E }, (_, e) => Number(images.data[n * E + e]) * Number(texts.data[m * E + e])).reduce(
        (a, b) => a + b,
      );
    expect(found.contrastive_logits_per_image!).toBeAllclose(
      fromNumbers(
        [0, 1].flatMap((n) => [0, 1].map((m) => scale * cosine(n, m))),
        [2, 2],
        "float64",
      ),
      { rtol: 1e-6, atol: 1e-6 },
    );
    const words = model.words!("pair", 10)!;
    const states = found.multimodal_embeddings!;
    const [M, D] = [states.shape[1]!, states.shape[2]!];
    const tokens = Array.from({ length: 2 }, (_, b) =>
      toNumbers(states).slice((b * M + M - 5) * D, (b + 1) * M * D),
    ).flat();
    const { logits } = interpret(graph("words", words.graph.outputs), {
      states: fromNumbers(tokens, [10, D], "float64"),
      ...Object.fromEntries(words.params.map(({ name }) => [name, weights[name]!])),
    });
    expect(fromNumbers(found.mmm_text_logits!.data as Float64Array, logits!.shape, "float64")).toBeAllclose(logits!, {
      rtol: 1e-6,
      atol: 1e-6,
    });
    expect(size(found.mmm_text_logits!.shape)).toBe(size(logits!.shape));
  });

  it("writes some graphs, with weights beside them, in an older operator set, for pictures of another size", async () => {
    const folder = join(root, "some");
    const report = await exportOnnx(source, folder, {
      only: ["image"],
      external: true,
      opset: 17,
      imageSize: 48,
      threads: 1,
    });
    expect((await readdir(join(folder, "onnx"))).sort()).toEqual([
      "parity.json",
      "vision_model.onnx",
      "vision_model.onnx_data",
    ]);
    expect(report.files[0]!.inputs).toEqual([
      { name: "pixel_values", dtype: "float32", shape: ["batch_size", 3, 48, 48] },
    ]);
    expect(report.files[0]!.parity[0]!.max).toBeLessThan(1e-4);
    const written = decodeModel(new Uint8Array(await readFile(join(folder, "onnx/vision_model.onnx"))));
    expect(written.opsets).toEqual([{ domain: "", version: 17 }]);
    expect(written.graph.initializers.some((t) => t.external?.location === "vision_model.onnx_data")).toBe(true);
    const json = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(folder, name), "utf8"));
    expect(await json("config.json")).toMatchObject({
      "transformers.js_config": { use_external_data_format: { "vision_model.onnx": true } },
    });
    expect(await json("preprocessor_config.json")).toMatchObject({ size: { height: 48, width: 48 } });
  });

  it("uses standard operators only", async () => {
    for (const name of ["image", "text", "full"] as const) {
      const folder = join(root, "plain");
      const file = { image: "vision_model", text: "text_model", full: "model" }[name];
      const { opsets } = decodeModel(new Uint8Array(await readFile(join(folder, `onnx/${file}.onnx`))));
      expect(opsets.map(({ domain }) => domain)).toEqual([""]);
    }
  });

  it("leaves out, and says so, what a checkpoint has no weights of", async () => {
    const folder = join(root, "headless");
    await saveModel(
      join(root, "partial"),
      Object.keys(weights).filter((name) => !/^(itm_head|mlm_head|mmm_text_head)\./.test(name)),
    );
    const notes: string[] = [];
    const report = await exportOnnx(join(root, "partial"), folder, {
      sampleCount: 1,
      threads: 1,
      onWarning: (line) => notes.push(line),
    });
    expect(report.files.map(({ graph: name }) => name)).toEqual(
      ["image", "text", "multimodal", "full", "words"].slice(0, 4),
    );
    expect(report.files[3]!.outputs.map(({ name }) => name)).not.toContain("itm_logits");
    expect(notes.join("\n")).toMatch(/model: `itm_logits` is left out: the weights lack itm_head/);
    expect(notes.join("\n")).toMatch(/no words graph/);
    await expect(exportOnnx(join(root, "partial"), folder, { only: ["words"] })).rejects.toThrow(
      /words graph: expected its weights/,
    );
  });

  it("of an image encoder alone writes one graph", async () => {
    const names = Object.keys(weights).filter((name) => /image_(model|projection|to_mm)/.test(name));
    await saveModel(join(root, "image only"), names);
    const report = await exportOnnx(join(root, "image only"), join(root, "one"), { sampleCount: 1, threads: 1 });
    expect(report.files.map(({ graph: name }) => name)).toEqual(["image"]);
  });

  it("keeps the card that a model came with, and replaces only its own part", async () => {
    const folder = join(root, "carded");
    await saveModel(join(root, "with card"), Object.keys(weights));
    await writeFile(
      join(root, "with card", "README.md"),
      "---\nlicense: mit\ntags: [mine]\n---\n\n# My model\n\nIts story.\n",
    );
    const options = { only: ["image"], sampleCount: 1, threads: 1 } as const;
    await exportOnnx(join(root, "with card"), folder, options);
    await exportOnnx(folder, folder, options).catch(() => undefined); // weights are not exported: nothing changes
    await writeFile(join(root, "with card", "README.md"), await readFile(join(folder, "README.md")));
    await exportOnnx(join(root, "with card"), folder, options);
    const card = await readFile(join(folder, "README.md"), "utf8");
    expect(card.match(/# My model/g)).toHaveLength(1);
    expect(card.match(/## ONNX files/g)).toHaveLength(1);
    expect(card).toContain("license: mit");
    expect(card).toContain("Its story.");
  });

  it.each(["---\ntags: [a\n---\n\nWords.\n", "---\n- a\n---\n\nWords.\n"])(
    "keeps what is no front matter as text: %j",
    (card) => {
      const made = exportCard(
        { model: "m", folder: "f", files: [anyFile], samples: "s", reference: "r", notes: [] },
        { existing: card },
      );
      expect(made).toContain(card.trim());
      expect(parse(made.split("---")[1]!)).toMatchObject({ library_name: "flava" });
    },
  );

  it("says which files are not to be used", () => {
    const row = { output: "y", max: 1e-6, mean: 0, size: 1, cosine: 1, lowestCosine: 1 };
    const file = (dtype: "fp32" | "fp16", max: number) => ({ file: dtype, dtype, parity: [{ ...row, max }] });
    expect(suspicions([file("fp32", 1e-6), file("fp16", 0.1)])).toEqual([]);
    expect(suspicions([file("fp32", 0.1)])[0]).toMatch(/fp32: `y` differs from the model by more than rounding/);
    expect(suspicions([file("fp16", Number.NaN)])[0]).toMatch(/fp16: `y` is not finite/);
  });

  it("refuses unknown names, and folders that hold no model", async () => {
    await expect(exportOnnx(source, root, { only: ["vision"] as never })).rejects.toThrow(
      /only: expected some of image, .*got "vision"/,
    );
    await expect(exportOnnx(source, root, { dtypes: ["q4"] as never })).rejects.toThrow(
      /dtype: expected some of fp32, .*got "q4"/,
    );
    await expect(exportOnnx(source, root, { only: [] })).rejects.toThrow(/only: expected some of .*, got none/);
    await expect(exportOnnx(source, root, { imageSize: 50 })).rejects.toThrow(/imageSize: expected whole patches/);
    await expect(exportOnnx(join(root, "nothing"), root)).rejects.toThrow(/nothing: expected a folder/);
    await expect(exportOnnx(source, join(source, "config.json"), { only: ["image"] })).rejects.toThrow(/config\.json/);
    await expect(exportOnnx(source, join(root, "opset"), { opset: 12 })).rejects.toThrow(/opset: expected 17/);
    await expect(exportOnnx(source, join(root, "aborted"), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
