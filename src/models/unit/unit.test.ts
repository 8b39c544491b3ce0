/** UniT's sizes, names and files, and what a trained one answers; its numbers are in test/golden/unit.test.ts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluate } from "../../../test/golden/run.ts";
import { FlavaModel } from "../../api/index.ts";
import { CheckpointError, ConfigError } from "../../errors.ts";
import { exportOnnx } from "../../export/index.ts";
import { entriesOf, saveSafetensors } from "../../hub/index.ts";
import { initialize } from "../../nn/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../text/index.ts";
import { compareWeights, families, familyOfConfig, familyOfWeights } from "../index.ts";
import {
  fromUnitConfigJson,
  inferUnitConfig,
  unitConfig,
  unitConfigJson,
  unitParameters,
  unitTaskGraph,
  unitVariants,
} from "./index.ts";

const tokenizer = bertTokenizer([...SPECIAL_TOKENS, "a", "red", "fish"]);
const layers = { hiddenSize: 64, layers: 1, heads: 8, intermediateSize: 32 };
const small = unitConfig({
  image: { ...layers, imageSize: 32, width: 4, stages: [1, 1, 1, 1] },
  text: { ...layers, heads: 1, vocabSize: tokenizer.vocabSize, maxPositions: 9 },
  decoder: layers,
  tasks: {
    shapes: { kind: "detection", index: 0, labels: 6, queries: 4 },
    matching: { kind: "vl", index: 1, labels: 2, queries: 2, tokens: "all" },
    glue_sst2: { kind: "glue", index: 7, labels: 2, queries: 3 },
  },
});

describe("a UniT's files", () => {
  it.each(Object.entries(unitVariants))("the config.json of %s comes back as it was written", (_, config) => {
    const json = JSON.parse(JSON.stringify(unitConfigJson(config)));
    expect(fromUnitConfigJson(json)).toEqual(config);
    expect(familyOfConfig(json)).toBe(families.unit);
  });
  it("sizes that contradict each other are refused", () => {
    expect(() => unitConfig({ tasks: {} })).toThrow(ConfigError);
    expect(() => unitConfig({ image: { heads: 7 } })).toThrow(/does not divide among 7 heads/);
  });
  it("MMF's names are known with or without a wrapper, copies of the decoder are left out, and shapes say the sizes", () => {
    const specs = unitParameters(small);
    const shapes = specs.map(({ name, shape }) => [name, { dtype: "float32" as const, shape }] as const);
    const copies = shapes.flatMap(([name, t]) =>
      name.startsWith("unit_base_model.transformer.decoder.")
        ? [[name.replace(".decoder.", ".decoders.vl.matching."), t] as const]
        : [],
    );
    for (const prefix of ["", "model."]) {
      const tensors = new Map([...shapes, ...copies].map(([name, t]) => [`${prefix}${name}`, t]));
      const file = { name: "unit.pth", tensors, read: () => Promise.reject(new Error("not read")) };
      const { family, named } = familyOfWeights(file, undefined);
      expect(family).toBe(families.unit);
      expect(compareWeights(specs, named)).toEqual({ missing: [], unexpected: [], misshapen: [] });
      expect([...named.ignored.keys()]).toEqual(["copies of the shared decoder"]);
      const { tasks, decoder, text } = inferUnitConfig("unit.pth", named.tensors).config;
      expect({ decoder, text }).toEqual({ decoder: small.decoder, text: small.text });
      expect(
        Object.fromEntries(Object.entries(tasks).map(([name, { labels, queries }]) => [name, [labels, queries]])),
      ).toEqual({
        shapes: [6, 4],
        matching: [2, 2],
        glue_sst2: [2, 3],
      });
    }
  });
  it("the published model has MMF's shapes", () => {
    const shapes = Object.fromEntries(unitParameters(unitVariants.base!).map(({ name, shape }) => [name, shape]));
    expect(shapes).toMatchObject({
      "unit_base_model.input_proj.weight": [256, 2048, 1, 1],
      "unit_base_model.transformer.encoder.layers.5.self_attn.in_proj_weight": [768, 256],
      "unit_base_model.transformer.enc2dec_proj.weight": [768, 256],
      "unit_base_model.transformer.decoder.layers.5.multihead_attn.in_proj_weight": [2304, 768],
      "unit_base_model.transformer.task_embeddings_enc.weight": [256, 256],
      "task_embeddings_lang.weight": [256, 768],
      "unit_base_model.query_embeds.detection.detection_coco.weight": [100, 768],
      "unit_base_model.query_embeds.glue.glue_qqp.weight": [25, 768],
      "class_embeds.detection_visual_genome.weight": [1602, 768],
      "bbox_embeds.detection_coco.layers.2.weight": [4, 768],
      "classifiers.vl.vqa2.1.weight": [3129, 768],
      "unit_base_model.backbone.0.body.layer4.2.conv3.weight": [2048, 512, 1, 1],
    });
  });
});

describe("a trained UniT", () => {
  let folder: string;
  let model: FlavaModel;
  const weights = initialize(unitParameters(small), 3);
  const picture = (value: number) => ({ width: 32, height: 32, channels: 3, data: new Uint8Array(3072).fill(value) });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "unit-"));
    await writeFile(join(folder, "config.json"), JSON.stringify(unitConfigJson(small)));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
    await saveSafetensors(join(folder, "model.safetensors"), entriesOf(weights));
    model = await FlavaModel.fromPretrained(folder, { threads: 1 });
  });
  afterAll(async () => {
    model?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it("matches by its task of that name, as the whole graph of the task does", async () => {
    const feeds = await model.processor.images([picture(40), picture(200)]);
    const texts = model.prepareTexts(["a red fish", "red"]);
    const given = {
      pixel_values: feeds.pixel_values,
      input_ids: texts.input_ids,
      attention_mask: texts.attention_mask,
    };
    const types = { ...texts.input_ids, data: new Int32Array(texts.input_ids.data.length) };
    const sizes = { batch: 2, textLength: texts.input_ids.shape[1]! };
    const { graph } = unitTaskGraph(small, "matching", sizes);
    const whole = evaluate(graph.outputs, { ...given, token_type_ids: types, ...weights }).logits!;
    const { itm_logits } = await model.encodePair([picture(40), picture(200)], ["a red fish", "red"], {
      outputs: ["itm_logits"],
    });
    for (const [i, x] of Array.from(itm_logits.data).entries()) expect(Number(x)).toBeCloseTo(Number(whole.data[i]), 4);
    expect(await model.match([picture(1)], ["red"])).toHaveLength(1);
  });
  it("finds boxes in pictures", () => {
    const { graph } = unitTaskGraph(small, "shapes", { batch: 1, textLength: 1 });
    const pixel_values = { dtype: "float32", shape: [1, 3, 32, 32], data: new Float32Array(3072).fill(0.1) } as const;
    const { boxes, scores } = evaluate(graph.outputs, { pixel_values, ...weights });
    expect([boxes!.shape, scores!.shape]).toEqual([
      [1, 4, 4],
      [1, 4, 7],
    ]);
  });
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(folder, join(folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(["image", "text", "multimodal"]);
    for (const { output, max, size: range } of files.flatMap(({ parity }) => parity))
      expect(max / range, output).toBeLessThan(1e-4);
  });
  it("says that it has no contrastive space", async () => {
    const embeds = model.similarity([picture(1)], ["red"]);
    await expect(embeds).rejects.toThrow(CheckpointError);
    await expect(embeds).rejects.toThrow(/no contrastive space/);
  });
});
